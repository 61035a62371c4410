import { describe, expect, test } from "vitest";
import { linkState, mustReopen, retryAfterS } from "../src/feed/link";
import { clockText, fill, firstLanguage, WORDS } from "../src/i18n";

describe("the link", () => {
  test.each([
    [0.5, "live"],
    [3.5, "slow"],
    [6, "reconnecting"],
    [16, "frozen"],
  ] as const)("%s s after the last frame is %s", (since, state) => {
    expect(linkState(since, 100)).toBe(state);
  });

  test("that never brought a frame is connecting, then frozen", () => {
    expect([linkState(null, 2), linkState(null, 20)]).toEqual(["connecting", "frozen"]);
  });

  test("is opened anew only when neither a frame nor a new socket is recent", () => {
    expect([mustReopen(6, 1), mustReopen(6, 6), mustReopen(1, 60), mustReopen(null, 6)]).toEqual([
      false,
      true,
      false,
      true,
    ]);
  });

  test("waits longer each time, up to ten seconds, with full jitter", () => {
    expect([retryAfterS(0, 0.999), retryAfterS(3, 0.5), retryAfterS(30, 1), retryAfterS(5, 0)]).toEqual([
      0.4995, 2, 10, 0,
    ]);
  });
});

describe("languages", () => {
  test("say every phrase, with the same blanks to fill", () => {
    for (const [key, english] of Object.entries(WORDS.en)) {
      const chinese = WORDS["zh-Hans"][key as keyof typeof WORDS.en];
      expect(chinese, key).toBeTruthy();
      const blanks = (text: string) => (text.match(/\{\w+\}/g) ?? []).sort();
      expect(blanks(chinese), key).toEqual(blanks(english));
    }
  });

  test("leave no English in Chinese but for what is measured", () => {
    for (const [key, text] of Object.entries(WORDS["zh-Hans"])) {
      if (key === "language") continue;
      expect(text.replace(/\{\w+\}|p50|p95|p99|WebGL/g, ""), key).not.toMatch(/[A-Za-z]{3,}/);
    }
  });

  test("are chosen by what was stored, then by the browser", () => {
    expect([firstLanguage(null, "zh-CN"), firstLanguage("en", "zh-CN"), firstLanguage("xx", "de")]).toEqual([
      "zh-Hans",
      "en",
      "en",
    ]);
  });

  test("fill in values and tell the city's time", () => {
    expect(fill("{count} live", { count: 3 })).toBe("3 live");
    expect(clockText(1_771_257_515, "America/New_York", "en")).toBe("10:58:35");
  });
});
