// Dialogs, the side panel and menus. Each works without scripts: a dialog unfolds in place, a
// row's link opens its own page, a menu is a details element.
(() => {
  const open = (details) => {
    const body = details.querySelector(".dialog-body");
    const box = document.createElement("dialog");
    box.className = "dialog-box";
    box.setAttribute("aria-label", body.getAttribute("aria-label"));
    details.after(box);
    box.append(body);
    const back = () => { details.append(body); box.remove(); details.querySelector("summary").focus(); };
    box.addEventListener("close", back);
    box.addEventListener("click", (event) => {
      if (event.target === box || event.target.closest("[data-dialog-close]")) box.close();
    });
    box.showModal();
  };

  document.addEventListener("click", (event) => {
    const summary = event.target.closest("details[data-dialog] > summary");
    if (summary && typeof HTMLDialogElement === "function") {
      event.preventDefault();
      open(summary.parentElement);
      return;
    }
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      if (!menu.contains(event.target)) menu.open = false;
    }
    if (event.target.closest("[data-panel-close]")) closePanel();
  });

  let opener = null;
  const closePanel = () => {
    const place = document.getElementById("panel");
    if (!place || !place.firstElementChild) return;
    place.replaceChildren();
    if (opener && opener.isConnected) opener.focus();
  };

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const menu = document.querySelector("details.menu[open]");
    if (menu) {
      menu.open = false;
      menu.querySelector("summary").focus();
      return;
    }
    if (!document.querySelector("dialog[open]")) closePanel();
  });

  document.addEventListener("htmx:beforeRequest", (event) => { opener = event.target; });
  document.addEventListener("htmx:afterSettle", (event) => {
    if (event.target.id !== "panel") return;
    const panel = event.target.querySelector("[data-panel]");
    if (panel) panel.focus();
  });
})();
