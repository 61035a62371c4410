import { createContext, useContext } from "react";
import { en, type Words } from "./en";
import { zhHans } from "./zh-Hans";

export type Language = "en" | "zh-Hans";
export const WORDS: Record<Language, Words> = { en, "zh-Hans": zhHans };

export function firstLanguage(stored: string | null, browser: string): Language {
  if (stored === "en" || stored === "zh-Hans") return stored;
  return browser.toLowerCase().startsWith("zh") ? "zh-Hans" : "en";
}

/** The text with its {names} filled in. */
export function fill(text: string, values: Record<string, string | number>): string {
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => (name in values ? String(values[name]) : whole));
}

export const LanguageContext = createContext<Language>("en");

export function useWords(): Words {
  return WORDS[useContext(LanguageContext)];
}

export function clockText(timeS: number, timezone: string, language: Language): string {
  return new Intl.DateTimeFormat(language, {
    timeZone: timezone,
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    hour12: false,
  }).format(new Date(timeS * 1000));
}
