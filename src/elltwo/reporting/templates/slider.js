"use strict";
(() => {
  const D = JSON.parse(document.getElementById("page-data").textContent);
  const $ = id => document.getElementById(id);
  const f64 = text => new Float64Array(Uint8Array.from(atob(text), c => c.charCodeAt(0)).buffer);
  const number = v => v === "inf" ? Infinity : v === null ? NaN : Number(v);
  const V = f64(D.V), s = f64(D.s), z = f64(D.z), fixed = f64(D.fixed), meanV = f64(D.mean_V), unit = f64(D.unit);
  const samples = f64(D.error.values), k = s.length, chosen = number(D.alpha);
  const [low, high] = D.range;

  // The laws: s/(s² + λ) per direction, and everything that follows from it.
  const gain = (sj, a) => a === Infinity ? 0 : sj / (sj * sj + a);
  function solve(a) {
    const y = Float64Array.from(s, (sj, j) => gain(sj, a) * z[j]);
    const coef = Float64Array.from(D.columns, (_, i) => {
      let sum = 0;
      for (let j = 0; j < k; j++) sum += V[i * k + j] * y[j];
      return fixed[i] + sum;
    });
    let df = D.free, square = 0, moved = D.mean_fixed;
    for (let j = 0; j < k; j++) {
      df += s[j] * gain(s[j], a);
      square += y[j] * y[j];
      moved += meanV[j] * y[j];
    }
    const intercept = D.has_intercept ? D.mean_y - moved : 0;
    return { a, coef, df, norm: Math.sqrt(square), intercept, mse: error(a) };
  }

  // Cross-validation error: the polynomial through Chebyshev points in ln λ, in barycentric form.
  function error(a) {
    const e = D.error;
    if (a === 0) return number(e.zero);
    if (a === Infinity) return number(e.infinity);
    const u = Math.min(Math.max(Math.log(a), e.low), e.high), n = samples.length - 1;
    let top = 0, bottom = 0;
    for (let i = 0; i <= n; i++) {
      const node = 0.5 * (e.low + e.high) + 0.5 * (e.high - e.low) * Math.cos(Math.PI * i / n);
      if (u === node) return samples[i];
      const weight = (i % 2 ? -1 : 1) * (i === 0 || i === n ? 0.5 : 1) / (u - node);
      top += weight * samples[i];
      bottom += weight;
    }
    return top / bottom;
  }

  // Numbers as people read them: three digits, commas, powers of ten.
  const raised = e => String(e).replace(/[-\d]/g, c => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(c)]);
  function shown(x, digits = 3) {
    if (Number.isNaN(x)) return "–";
    if (!Number.isFinite(x)) return x > 0 ? "∞" : "−∞";
    if (x === 0) return "0";
    const e = Math.floor(Math.log10(Math.abs(x)));
    if (e > -5 && e < 6) {
      const [whole, part] = x.toFixed(Math.max(digits - 1 - e, 0)).split(".");
      const spaced = whole.replace(/\B(?=(\d{3})+$)/g, ",");
      return (part ? spaced + "." + part : spaced).replace("-", "−");
    }
    return (x / 10 ** e).toFixed(digits - 1).replace("-", "−") + "·10" + raised(e);
  }

  // Figures: marks are placed by the axes' own limits.
  const NS = "http://www.w3.org/2000/svg";
  const place = (axis, v) => {
    const [from, to, lo, hi, log] = axis, t = log ? Math.log(v / lo) / Math.log(hi / lo) : (v - lo) / (hi - lo);
    return from + Math.min(Math.max(t, -0.02), 1.02) * (to - from);
  };
  function figure(name) {
    const svg = $(name + "-figure");
    if (!svg) return null;
    const layer = svg.appendChild(document.createElementNS(NS, "g"));
    layer.setAttribute("aria-hidden", "true");
    const map = JSON.parse(svg.dataset.map);
    const mark = (tag, look) => {
      const node = layer.appendChild(document.createElementNS(NS, tag));
      node.setAttribute("class", look);
      return node;
    };
    const set = (node, values) => { for (const key in values) node.setAttribute(key, values[key].toFixed(2)); };
    return { x: v => place(map.x, v), y: v => place(map.y, v), map, mark, set };
  }

  const painters = [];
  for (const name of ["path", "selection", "bias_variance"]) {
    const f = figure(name);
    if (!f || !f.map.x[4]) continue;
    const line = f.mark("line", "mark-line");
    painters.push(r => {
      const at = f.x(Math.min(Math.max(r.a, f.map.x[2]), f.map.x[3]));
      f.set(line, { x1: at, x2: at, y1: f.map.y[0], y2: f.map.y[1] });
    });
  }
  const shares = figure("shrinkage");
  if (shares && k) {
    const line = shares.mark("polyline", "mark-thin");
    const dots = k <= 80 ? Array.from(s, () => shares.mark("circle", "mark-dot")) : [];
    painters.push(r => {
      const points = Array.from(s.slice(0, 400), (sj, j) => [shares.x(j + 1), shares.y(sj * gain(sj, r.a))]);
      line.setAttribute("points", points.map(p => p[0].toFixed(2) + "," + p[1].toFixed(2)).join(" "));
      dots.forEach((dot, j) => shares.set(dot, { cx: points[j][0], cy: points[j][1], r: 2.6 }));
    });
  }
  const two = D.geometry && figure("geometry");
  if (two) {
    const ball = two.mark("ellipse", "mark-thin"), contour = two.mark("ellipse", "mark-thin");
    const dot = two.mark("circle", "mark-dot"), g = D.geometry;
    const [sx, sy] = [0, 1].map(i => Math.abs((two.map["xy"[i]][1] - two.map["xy"[i]][0]) /
      (two.map["xy"[i]][3] - two.map["xy"[i]][2])));
    const X = v => two.map.x[0] + (v - two.map.x[2]) * sx, Y = v => two.map.y[0] - (v - two.map.y[2]) * sy;
    painters.push(r => {
      const y = g.s.map((sj, i) => gain(sj, r.a) * g.z[i]), size = Math.hypot(y[0], y[1]);
      const level = Math.hypot(...g.s.map((sj, i) => sj * y[i] - g.z[i]));
      two.set(ball, { cx: X(0), cy: Y(0), rx: size * sx, ry: size * sy });
      two.set(contour, { cx: X(g.centre[0]), cy: Y(g.centre[1]), rx: level / g.s[0] * sx, ry: level / g.s[1] * sy });
      two.set(dot, { cx: X(y[0]), cy: Y(y[1]), r: 4 });
    });
  }
  const effects = figure("coefficients");
  const where = new Map(D.columns.map((column, i) => [column, i]));
  if (effects) {
    const drawn = D.drawn.map((column, row) => [where.get(column), D.drawn.length - 1 - row]).filter(p => p[0] !== undefined);
    const dots = drawn.map(() => effects.mark("circle", "mark-dot"));
    painters.push(r => drawn.forEach(([i, row], d) =>
      effects.set(dots[d], { cx: effects.x(r.coef[i] * unit[i]), cy: effects.y(row), r: 3 })));
  }

  // Text: every <data> that follows the slider keeps its full value, and shows a rounded one.
  const cells = [...document.querySelectorAll("data[data-column]")].map(n => [n, where.get(Number(n.dataset.column))]);
  const facts = [...document.querySelectorAll("data[data-live]")];
  const put = (node, value, digits) => { node.value = String(value); node.textContent = shown(value, digits); };
  const follow = {
    times: (r, f) => r.a * f, root_over: (r, f) => Math.sqrt(f / r.a), df: r => r.df, norm: r => r.norm,
  };
  function readout(r) {
    const rmse = Math.sqrt(r.mse), share = 1 - r.mse / number(D.error.infinity), out = $("readout");
    const parts = [["λ =", shown(r.a), r.a]];
    if (k) parts.push(["degrees of freedom", shown(r.df), r.df]);
    parts.push([D.error.words + " ±", shown(rmse), r.mse]);
    if (Number.isFinite(share)) parts.push(["variance explained", (100 * share).toFixed(1).replace("-", "−") + "%", share]);
    out.replaceChildren(...parts.map(([label, text, value]) => {
      const span = document.createElement("span"), data = document.createElement("data"), bold = document.createElement("b");
      data.value = String(value);
      data.textContent = text;
      bold.append(data);
      span.append(label + " ", bold);
      return span;
    }));
  }
  function show(a) {
    const r = solve(a);
    for (const paint of painters) paint(r);
    for (const [node, i] of cells) put(node, r.coef[i]);
    for (const node of facts) if (k || node.dataset.live === "times") {
      put(node, follow[node.dataset.live](r, Number(node.dataset.factor)), 4);
    }
    if ($("intercept") && D.columns.length) put($("intercept"), r.intercept);
    readout(r);
    input.value = a === 0 ? 0 : a === Infinity ? 1000 : 1000 * (Math.log10(a) - low) / (high - low);
    input.setAttribute("aria-valuetext", "λ = " + shown(a) + ", " + D.error.words + " " + shown(Math.sqrt(r.mse)));
  }
  const input = $("strength");
  input.addEventListener("input", () => show(10 ** (low + (high - low) * input.value / 1000)));
  $("go-none").addEventListener("click", () => show(0));
  $("go-chosen").addEventListener("click", () => show(chosen));
  $("go-all").addEventListener("click", () => show(Infinity));
  const linked = () => {
    const found = /^#lambda=(.+)$/.exec(location.hash), a = found ? number(decodeURIComponent(found[1])) : chosen;
    show(a >= 0 ? a : chosen);
  };
  addEventListener("hashchange", linked);
  $("bar").hidden = $("legend").hidden = false;
  linked();
})();
