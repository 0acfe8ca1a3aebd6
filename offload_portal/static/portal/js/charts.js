// Draws the figures that the server built. A figure names design tokens ("var:--chart-1",
// "var:--chart-1/0.2"); they become the colours of the reader's theme, again when it changes.
(() => {
  const source = document.currentScript.dataset.plotly;
  let loading = null;

  // Plotly is most of what a page weighs; it is fetched when the first figure comes near.
  const plotly = () => {
    loading ??= new Promise((done, failed) => {
      const script = document.createElement("script");
      script.src = source;
      script.onload = () => done(window.Plotly);
      script.onerror = () => failed(new Error("Plotly could not be loaded."));
      document.head.append(script);
    });
    return loading;
  };

  const probe = document.createElement("span");
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  let known = new Map();

  const pixels = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return canvas.getImageData(0, 0, 1, 1).data;
  };

  const colour = (name) => {
    if (!known.has(name)) {
      const [token, opacity] = name.slice(4).split("/");
      probe.style.color = `var(${token})`;
      const [r, g, b, a] = pixels(getComputedStyle(probe).color);
      const alpha = opacity === undefined ? a / 255 : Number(opacity);
      known.set(name, alpha === 1 ? `rgb(${r},${g},${b})` : `rgba(${r},${g},${b},${alpha})`);
    }
    return known.get(name);
  };

  const resolved = (value) => {
    if (typeof value === "string") return value.startsWith("var:--") ? colour(value) : value;
    if (Array.isArray(value)) return value.map(resolved);
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, resolved(part)]));
    }
    return value;
  };

  const config = (own, name) => ({
    ...own,
    responsive: true,
    displaylogo: false,
    displayModeBar: "hover",
    modeBarButtons: [["toImage"]],
    toImageButtonOptions: { format: "png", filename: name, scale: 2 },
    scrollZoom: false,
    doubleClick: false,
  });

  const read = (figure) =>
    JSON.parse(document.getElementById(`${figure.dataset.chart}-figure`).textContent);

  const fold = (figure) => {
    const numbers = figure.querySelector(".chart-data");
    if (!numbers || "ready" in numbers.dataset) return;
    numbers.open = false;
    numbers.dataset.ready = "";
  };

  const draw = async (figure) => {
    const place = figure.querySelector(".chart-draw");
    if (!place) return;
    const library = await plotly();
    figure.append(probe);
    known = new Map();
    const { data, layout = {}, config: own = {} } = resolved(read(figure));
    const font = { ...layout.font, family: getComputedStyle(figure).fontFamily };
    probe.remove();
    await library.react(place, data, { ...layout, font }, config(own, figure.dataset.chart));
    fold(figure);
    figure.dataset.drawn = "";
  };

  const failed = (figure) => {
    // The numbers below stay open: they say the same.
    figure.querySelector(".chart-draw")?.remove();
    const numbers = figure.querySelector(".chart-data");
    if (numbers) numbers.dataset.ready = "";
  };

  const drawSafely = (figure) =>
    draw(figure).catch((error) => { failed(figure); console.error(error); });

  // A figure is drawn when it comes near: a phone shows one of five, and drawing is dear there.
  const coming = new IntersectionObserver((entries) => {
    for (const entry of entries.filter((each) => each.isIntersecting)) {
      coming.unobserve(entry.target);
      drawSafely(entry.target);
    }
  }, { rootMargin: "300px 0px" });

  const drawAll = (within = document, { hidden = false } = {}) => {
    for (const figure of within.querySelectorAll("figure.chart[data-chart]")) {
      if (hidden || "drawn" in figure.dataset) drawSafely(figure);
      else coming.observe(figure);
    }
  };

  document.addEventListener("portal:theme", () => drawAll());
  addEventListener("beforeprint", () => drawAll(document, { hidden: true }));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawAll());
  document.addEventListener("htmx:beforeCleanupElement", (event) => {
    for (const place of event.target.querySelectorAll?.(".js-plotly-plot") ?? []) window.Plotly.purge(place);
  });
  document.addEventListener("htmx:afterSettle", (event) => drawAll(event.target));
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", () => drawAll());
  else drawAll();
})();
