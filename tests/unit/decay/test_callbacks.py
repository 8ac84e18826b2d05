"""The monitor inside Lightning and inside the Hugging Face Trainer."""

import logging
import warnings

import pytest

torch = pytest.importorskip("torch")

from decay_models import torchvision_beside_cpu_torch
from elltwo.decay.monitoring.callbacks import huggingface_callback, lightning_callback
from elltwo.errors import UsageError

# The two frameworks and what they import warn about themselves.
pytestmark = pytest.mark.filterwarnings("ignore")


def data(n=96):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn((n, 6), generator=generator)
    return x, (x[:, 0] > 0).long()


@pytest.fixture
def lightning():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torchvision_beside_cpu_torch()
        pl = pytest.importorskip("lightning.pytorch")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    return pl


def module(pl, optimizers=1):
    class Net(pl.LightningModule):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.net = torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))

        def training_step(self, batch, index):
            loss = torch.nn.functional.cross_entropy(self.net(batch[0]), batch[1])
            self.log("train_loss", loss)
            return loss

        def validation_step(self, batch, index):
            self.log("val_loss", torch.nn.functional.cross_entropy(self.net(batch[0]), batch[1]))

        def configure_optimizers(self):
            return [
                torch.optim.AdamW(self.parameters(), lr=0.01, weight_decay=0.1) for _ in range(optimizers)
            ]

    return Net()


def trainer(pl, folder, callback, epochs):
    return pl.Trainer(
        default_root_dir=folder, max_epochs=epochs, callbacks=[callback], accelerator="cpu", logger=False,
        enable_progress_bar=False, enable_model_summary=False, log_every_n_steps=4, num_sanity_val_steps=0,
    )  # fmt: skip


def test_lightning_runs_the_monitor_and_resumes_it_from_its_checkpoint(lightning, tmp_path):
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(*data()), batch_size=16)
    path = tmp_path / "run.jsonl"
    first = lightning_callback(every=2, path=path)
    run = trainer(lightning, tmp_path, first, 2)
    run.fit(module(lightning), loader, loader)
    run.save_checkpoint(tmp_path / "x.ckpt")
    log = first.monitor.records
    assert [r["step"] for r in log if "tensors" in r] == [0, 2, 4, 6, 8, 10]
    assert all(r["tensors"]["net.0.weight"]["grad_norm"] > 0 for r in log if "tensors" in r)
    assert len(log.scalar("val_loss")[0]) == 2
    second = lightning_callback(every=2, path=path, resume=True)
    trainer(lightning, tmp_path, second, 3).fit(
        module(lightning), loader, loader, ckpt_path=tmp_path / "x.ckpt", weights_only=False
    )
    steps = [r["step"] for r in second.monitor.records if "tensors" in r]
    assert steps == [0, 2, 4, 6, 8, 10, 12, 14, 16]


def test_lightning_with_two_optimizers_is_refused_in_one_sentence(lightning, tmp_path):
    net = module(lightning, optimizers=2)
    net.automatic_optimization = False
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(*data()), batch_size=16)
    with pytest.raises(UsageError, match="watches one optimizer, and this module has 2"):
        trainer(lightning, tmp_path, lightning_callback(), 1).fit(net, loader)


def test_the_trainer_runs_the_monitor_and_continues_after_a_checkpoint(tmp_path):
    pytest.importorskip("accelerate")
    torchvision_beside_cpu_torch()
    transformers = pytest.importorskip("transformers")

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.net = torch.nn.Linear(6, 2)

        def forward(self, x, labels=None):
            logits = self.net(x)
            return {"loss": torch.nn.functional.cross_entropy(logits, labels), "logits": logits}

    rows = [{"x": a, "labels": b} for a, b in zip(*data(64), strict=True)]
    path = tmp_path / "run.jsonl"

    def train(steps, checkpoint=None):
        arguments = transformers.TrainingArguments(
            output_dir=str(tmp_path), max_steps=steps, per_device_train_batch_size=8, save_steps=4, logging_steps=2,
            report_to=[], use_cpu=True, disable_tqdm=True, eval_strategy="steps", eval_steps=4, weight_decay=0.1,
        )  # fmt: skip
        callback = huggingface_callback(every=2, path=path)
        trainer = transformers.Trainer(
            model=Net(), args=arguments, train_dataset=rows, eval_dataset=rows, callbacks=[callback]
        )
        trainer.train(resume_from_checkpoint=checkpoint)
        return callback

    log = train(4).monitor.records
    assert [r["step"] for r in log if "tensors" in r] == [0, 2]
    assert len(log.scalar("val_loss")[0]) == 1
    assert len(log.scalar("train_loss")[0]) == 2
    again = train(8, checkpoint=str(tmp_path / "checkpoint-4")).monitor.records
    assert [r["step"] for r in again if "tensors" in r] == [0, 2, 4, 6]
