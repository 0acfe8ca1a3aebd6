// Copies a command. Without this script it is selected by hand.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const label = button.querySelector("[data-copy-label]");
  const before = label.textContent;
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
  } catch {
    // No clipboard (plain http, or refused): select it, so that one key press copies it.
    const code = button.parentElement.querySelector("code");
    getSelection().selectAllChildren(code);
    return;
  }
  label.textContent = button.dataset.copied;
  setTimeout(() => { label.textContent = before; }, 1600);
});
