// The reader's theme: a cookie that the server reads, so a page arrives in the right colours.
// Loaded first and small, because it also says that scripts run.
(() => {
  const root = document.documentElement;
  root.classList.add("js");

  const chosen = () => root.dataset.theme || "system";

  const show = () => {
    for (const button of document.querySelectorAll("[data-theme-choice]")) {
      button.setAttribute("aria-pressed", String(button.dataset.themeChoice === chosen()));
    }
  };

  const choose = (theme) => {
    const year = 60 * 60 * 24 * 365;
    if (theme === "system") {
      delete root.dataset.theme;
      document.cookie = "portal_theme=; path=/; max-age=0; samesite=lax";
    } else {
      root.dataset.theme = theme;
      document.cookie = `portal_theme=${theme}; path=/; max-age=${year}; samesite=lax`;
    }
    show();
    document.dispatchEvent(new CustomEvent("portal:theme"));
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-theme-choice]");
    if (button) choose(button.dataset.themeChoice);
  });
  document.addEventListener("DOMContentLoaded", show);
})();
