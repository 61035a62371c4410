// Drives headless Chromium for the browser tests: one JSON command a line in, one JSON answer a line out.
import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const [dashboard, chromiumPath] = process.argv.slice(2);
const { chromium } = createRequire(join(dashboard, "package.json"))("playwright-core");
const profile = mkdtempSync(join(tmpdir(), "bcc-browser-"));
const browser = await chromium.launchPersistentContext(profile, {
  executablePath: chromiumPath,
  headless: true,
  viewport: { width: 1280, height: 720 },
  args: [
    "--no-sandbox",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
  ],
});
const page = browser.pages()[0] ?? (await browser.newPage());
const errors = [];
const outside = [];
page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
page.on("pageerror", (error) => errors.push(String(error)));
page.on("request", (request) => {
  const { protocol, hostname } = new URL(request.url());
  if (protocol.startsWith("http") && hostname !== "127.0.0.1") outside.push(request.url());
});

const commands = {
  goto: async ({ url }) => void (await page.goto(url)),
  facts: () => page.evaluate(() => window.__bcc?.facts ?? null),
  text: ({ selector }) => page.locator(selector).first().innerText(),
  count: ({ selector }) => page.locator(selector).count(),
  click: async ({ selector }) => void (await page.locator(selector).first().click()),
  press: async ({ key }) => void (await page.keyboard.press(key)),
  type: async ({ text }) => void (await page.keyboard.type(text)),
  mouse: async ({ x, y }) => void (await page.mouse.click(x, y)),
  wheel: async ({ x, y, dy }) => {
    await page.mouse.move(x, y);
    await page.mouse.wheel(0, dy);
  },
  size: async ({ width, height }) => void (await page.setViewportSize({ width, height })),
  shot: async ({ path }) => void (await page.screenshot({ path })),
  title: () => page.title(),
  errors: () => errors,
  outside: () => outside,
};

for await (const line of createInterface({ input: process.stdin })) {
  const { command, ...rest } = JSON.parse(line);
  if (command === "quit") break;
  try {
    console.log(JSON.stringify({ ok: true, value: (await commands[command](rest)) ?? null }));
  } catch (error) {
    console.log(JSON.stringify({ ok: false, value: String(error) }));
  }
}
await browser.close();
rmSync(profile, { recursive: true, force: true });
