"""Pictures in, sharper pictures and a report out."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from elltwo.errors import ChoiceWarning, DataError, ElltwoError, InputError, UsageError
from elltwo.inverse.deblur import deblur
from elltwo.inverse.deblur_command import deblur_command
from elltwo.inverse.pictures import read_picture
from elltwo.inverse.psf import parse_psf
from elltwo.inverse.testproblems import satellite
from elltwo.operators import convolution, gaussian_psf

truth = satellite(64)
psf = gaussian_psf(1.5)
blurred = (convolution(psf, (64, 64)) @ truth.ravel()).reshape(64, 64)
given = np.clip(blurred + 0.005 * np.random.default_rng(0).standard_normal((64, 64)), 0, 1)


def error(x, reference=truth):
    return np.linalg.norm(x - reference) / np.linalg.norm(reference)


def save(path, values, mode="L"):
    top = 65535 if mode == "I;16" else 255
    Image.fromarray(np.rint(values * top).astype(np.uint16 if mode == "I;16" else np.uint8)).save(path)
    return path


def test_a_blurred_picture_becomes_sharper_and_its_noise_is_found():
    result = deblur(given, psf)
    assert error(result.pixels) < 0.75 * error(given)
    assert result.noise[0] == pytest.approx(0.005, rel=0.1)


@pytest.mark.parametrize("boundary", ["zero", "periodic", "reflective"])
def test_every_boundary_undoes_its_own_blur(boundary):
    own = (convolution(psf, (64, 64), boundary) @ truth.ravel()).reshape(64, 64)
    own = own + 0.005 * np.random.default_rng(1).standard_normal(own.shape)
    assert error(deblur(own, psf, boundary=boundary).pixels) < 0.8 * error(own)


def test_a_crooked_psf_is_undone_without_a_transform():
    crooked = parse_psf("motion:7,30")
    crooked[:3] = 0
    crooked /= crooked.sum()
    own = (convolution(crooked, (64, 64)) @ truth.ravel()).reshape(64, 64)
    result = deblur(own + 0.005 * np.random.default_rng(1).standard_normal(own.shape), crooked)
    assert result.channels[0].method == "golub_kahan"
    assert error(result.pixels) < 0.8 * error(own)


def test_grey_picture_file(tmp_path):
    facts = deblur_command(save(tmp_path / "a.png", given), "gaussian:1.5")
    out = Image.open(facts["out"])
    assert out.mode == "L"
    assert error(np.asarray(out) / 255) < 0.8 * error(given)
    page = (tmp_path / "a-sharp.html").read_text()
    assert facts["report"] == str(tmp_path / "a-sharp.html")
    assert "Content-Security-Policy" in page
    assert "http" not in page.replace("http-equiv", "")
    assert page.count("<img ") == 2


def test_sixteen_bits_stay_sixteen_bits(tmp_path):
    facts = deblur_command(save(tmp_path / "a.png", given, "I;16"), "gaussian:1.5")
    values = np.asarray(Image.open(facts["out"]))
    assert values.dtype == np.uint16
    assert error(values / 65535) < 0.8 * error(given)


def test_colour_and_opacity_are_kept(tmp_path):
    colour = np.dstack([given, given * 0.5, given[::-1], np.linspace(0, 1, 64)[:, None] * np.ones((64, 64))])
    save(tmp_path / "a.png", colour)
    facts = deblur_command(
        tmp_path / "a.png", "gaussian:1.5", out=tmp_path / "b.png", report=tmp_path / "c.html"
    )
    values = np.asarray(Image.open(tmp_path / "b.png"))
    assert values.shape == (64, 64, 4)
    assert facts["channels"] == 3
    np.testing.assert_array_equal(values[:, :, 3], np.asarray(Image.open(tmp_path / "a.png"))[:, :, 3])
    assert (tmp_path / "c.html").exists()


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp", ".webp", ".jpg"])
def test_common_formats_are_read(tmp_path, suffix):
    save(tmp_path / f"a{suffix}", given)
    assert read_picture(tmp_path / f"a{suffix}").shape == (64, 64)


def test_a_psf_may_be_a_picture(tmp_path):
    save(tmp_path / "psf.png", psf / psf.max())
    np.testing.assert_allclose(parse_psf(str(tmp_path / "psf.png")), psf, atol=1e-3)


@pytest.mark.parametrize("text", ["gaussian:2", "disk:3.5", "box:4", "motion:9", "motion:9,30"])
def test_named_psfs_sum_to_one_and_are_centred(text):
    kernel = parse_psf(text)
    assert kernel.sum() == pytest.approx(1.0)
    assert all(n % 2 == 1 for n in kernel.shape)
    centre = [
        np.average(np.arange(n) - n // 2, weights=kernel.sum(axis=1 - k)) for k, n in enumerate(kernel.shape)
    ]
    np.testing.assert_allclose(centre, 0, atol=1e-12)


@pytest.mark.parametrize(
    "text", ["gaussian", "gaussian:x", "gaussian:-1", "gaussian:2,3", "wobble:3", "disk:1e9", "", "box:nan"]
)
def test_a_psf_that_is_none_is_refused(text):
    with pytest.raises(InputError, match="PSF"):
        parse_psf(text)


def test_a_black_psf_picture_is_refused(tmp_path):
    save(tmp_path / "psf.png", np.zeros((5, 5)))
    with pytest.raises(InputError, match="black"):
        parse_psf(str(tmp_path / "psf.png"))


def test_a_picture_of_one_pixel_is_refused(tmp_path):
    with pytest.raises(InputError, match="one pixel"):
        deblur_command(save(tmp_path / "a.png", np.ones((1, 1))), "gaussian:2")


def test_a_psf_larger_than_the_picture_is_refused(tmp_path):
    with pytest.raises(InputError, match="larger than the image"):
        deblur_command(save(tmp_path / "a.png", given[:8, :8]), "gaussian:2")


def test_unreadable_pictures_are_refused_and_nothing_is_written(tmp_path):
    (tmp_path / "text.png").write_text("not a picture")
    save(tmp_path / "whole.png", given)
    (tmp_path / "cut.png").write_bytes((tmp_path / "whole.png").read_bytes()[:500])
    before = set(tmp_path.iterdir())
    for name, sentence in [
        ("text.png", "not a picture"),
        ("cut.png", "damaged"),
        ("none.png", "no such picture"),
    ]:
        with pytest.raises(DataError, match=sentence):
            deblur_command(tmp_path / name, "gaussian:1")
    assert set(tmp_path.iterdir()) == before


def test_an_unknown_format_or_boundary_is_refused_before_anything_is_written(tmp_path):
    image = save(tmp_path / "a.png", given)
    with pytest.raises(InputError, match="write the picture as one of"):
        deblur_command(image, "gaussian:1", out=tmp_path / "b.doc")
    with pytest.raises(UsageError, match="boundary"):
        deblur_command(image, "gaussian:1", boundary="mirror")
    assert set(tmp_path.iterdir()) == {image}


def test_an_unwritable_place_is_said(tmp_path):
    with pytest.raises(ElltwoError, match="no-such"):
        deblur_command(save(tmp_path / "a.png", given), "gaussian:1", out=tmp_path / "no-such" / "b.png")


def test_deep_colour_is_refused_rather_than_thinned(tmp_path):
    rows = np.zeros((4, 1 + 6 * 4), np.uint8)  # filter byte and 4 pixels of three 16-bit numbers
    header = struct.pack(">IIBBBBB", 4, 4, 16, 2, 0, 0, 0)
    path = tmp_path / "a.png"
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )
    with pytest.raises(DataError, match="16 bits per channel"):
        read_picture(path)


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def test_a_flat_picture_stays_flat():
    flat = np.full((32, 32), 0.5)
    with pytest.warns(ChoiceWarning) as said:
        sharp = deblur(flat, psf, noise=0.01).pixels
    assert any("λ = ∞" in str(w.message) for w in said)  # nothing but the free constant is needed
    np.testing.assert_allclose(sharp, flat, atol=1e-6)
