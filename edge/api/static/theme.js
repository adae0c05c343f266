// Sets the theme before anything is drawn: the choice of the user, or that of the system.
(() => {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const apply = () => {
    let choice = "auto";
    try {
      choice = localStorage.getItem("theme") ?? "auto";
    } catch {
      // storage is blocked: follow the system
    }
    const dark = choice === "dark" || (choice !== "light" && system.matches);
    document.documentElement.dataset.theme = dark ? "dark" : "light";
    document.querySelector("meta[name=theme-color]")?.setAttribute("content", dark ? "#101215" : "#f5f6f8");
    dispatchEvent(new Event("theme"));
  };
  system.addEventListener("change", apply);
  addEventListener("storage", apply);
  window.chooseTheme = (choice) => {
    try {
      localStorage.setItem("theme", choice);
    } catch {
      // it holds for this page only
    }
    apply();
  };
  apply();
})();
