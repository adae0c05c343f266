// Sets language and theme before anything is drawn: the choice of the user, or that of the system.
(() => {
  const languages = ["en", "de", "fr"];
  const wanted = navigator.languages.map((each) => each.split("-")[0]);
  try {
    wanted.unshift(localStorage.getItem("language"));
  } catch {
    // storage is blocked: follow the browser
  }
  const language = wanted.find((each) => languages.includes(each)) ?? "en";
  document.documentElement.lang = language;
  const texts = document.createElement("link");
  texts.rel = "modulepreload";
  texts.href = `/assets/${language}.js`;
  document.head.append(texts);
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
