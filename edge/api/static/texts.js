// The texts of the pages in the language of the user. A further language is a file like en.js, and a line here.

export const LANGUAGES = { en: "English", de: "Deutsch", fr: "Français" };

export const language = document.documentElement.lang; // as theme.js has chosen
export const locale = navigator.languages.find((each) => each.split("-")[0] === language) ?? language; // how numbers and dates look
const { default: texts } = await import(`./${language}.js`);
const plural = new Intl.PluralRules(language);

export function chooseLanguage(name) {
  try {
    localStorage.setItem("language", name);
  } catch {
    return; // storage is blocked
  }
  location.reload();
}

export function t(key, values = {}) {
  const found = texts[key];
  if (found === undefined) {
    console.error(`no text for ${key}`);
    return key;
  }
  const form = typeof found === "string" ? found : (found[plural.select(values.n)] ?? found.other);
  return form.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

// for words that come from the node: its own text where there is one, else `other`
export const textOr = (key, other) => (texts[key] === undefined ? other : t(key));
