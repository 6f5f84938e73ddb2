// A Chromium that obeys lines of JSON on stdin and answers each with one line on stdout: {"id", "ok", "value"} or
// {"id", "error"}. Pages have names; each has a context (cookies, language) of its own.
//   browser.mjs MODULES CHROMIUM      MODULES: the folder whose node_modules has playwright-core
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';

const [modules, executable] = process.argv.slice(2);
const { chromium } = createRequire(`${modules}/`)('playwright-core');
const browser = await chromium.launch({
  executablePath: executable,
  // In a namespace of its own, as root: Chromium's own sandbox has nothing to stand on.
  args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu', '--no-proxy-server'],
});
const pages = new Map();
const WAIT = 20_000;

const deeds = {
  async open({ page, url, width = 1280, height = 860, dark = false, language = 'ja' }) {
    const context = await browser.newContext({
      viewport: { width, height },
      colorScheme: dark ? 'dark' : 'light',
      locale: language === 'ja' ? 'ja-JP' : 'en-GB',
      timezoneId: 'Asia/Tokyo',
      ignoreHTTPSErrors: true, // the gateway's self-signed certificate
    });
    context.setDefaultTimeout(WAIT);
    await context.addInitScript((chosen) => {
      if (!localStorage.getItem('sekisho.language')) localStorage.setItem('sekisho.language', chosen);
    }, language);
    const made = await context.newPage();
    const heard = { errors: [], failed: [], hosts: new Set() };
    made.on('pageerror', (error) => heard.errors.push(String(error)));
    made.on('console', (message) => {
      // A refused request is logged by the browser as an error; that is no fault of the page.
      if (message.type() === 'error' && !/Failed to load resource/.test(message.text())) heard.errors.push(message.text());
    });
    made.on('requestfailed', (request) => heard.failed.push(`${request.method()} ${request.url()}: ${request.failure()?.errorText}`));
    made.on('request', (request) => heard.hosts.add(new URL(request.url()).host));
    pages.set(page, { page: made, context, heard });
    await made.goto(url, { waitUntil: 'domcontentloaded' });
  },
  // One load with an empty cache and the cookies of `page`: ms from the start of the navigation to the first
  // contentful paint and to the frame after `at` is there; bytes as they came, and unpacked.
  async paint({ page, url, at }) {
    const { context } = pages.get(page);
    const fresh = await browser.newContext({ ignoreHTTPSErrors: true, storageState: await context.storageState() });
    try {
      await fresh.addInitScript((wanted) => {
        const look = () => (document.querySelector(wanted) ? requestAnimationFrame(() => (window.drawnAt = performance.now())) : requestAnimationFrame(look));
        look();
      }, at);
      const made = await fresh.newPage();
      await made.goto(url, { waitUntil: 'domcontentloaded' });
      await made.waitForFunction(() => window.drawnAt && performance.getEntriesByName('first-contentful-paint').length > 0, null, { timeout: WAIT });
      return await made.evaluate(() => {
        const [first] = performance.getEntriesByName('first-contentful-paint');
        const files = [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource').filter((one) => !one.name.includes('/v1/'))];
        const sum = (what) => files.reduce((all, one) => all + one[what], 0);
        return { first: first.startTime, drawn: window.drawnAt, files: files.length, bytes: sum('encodedBodySize'), unpacked: sum('decodedBodySize') };
      });
    } finally {
      await fresh.close();
    }
  },
  goto: ({ url }, p) => p.goto(url, { waitUntil: 'domcontentloaded' }),
  reload: (_, p) => p.reload({ waitUntil: 'domcontentloaded' }),
  click: ({ at }, p) => p.locator(at).first().click(),
  fill: ({ at, text }, p) => p.locator(at).first().fill(text),
  select: ({ at, value }, p) => p.locator(at).first().selectOption(value),
  check: ({ at }, p) => p.locator(at).first().check(),
  press: ({ key }, p) => p.keyboard.press(key),
  text: ({ at }, p) => p.locator(at).first().innerText(),
  attribute: ({ at, name }, p) => p.locator(at).first().getAttribute(name),
  count: ({ at }, p) => p.locator(at).count(),
  wait: ({ at, gone = false, seconds = 20 }, p) =>
    p.locator(at).first().waitFor({ state: gone ? 'hidden' : 'visible', timeout: seconds * 1000 }),
  enabled: ({ at }, p) => p.locator(at).first().isEnabled(),
  evaluate: ({ code }, p) => p.evaluate(code),
  screenshot: ({ path, full = false }, p) => p.screenshot({ path, fullPage: full, animations: 'disabled' }),
  async heard({ page }) {
    const { heard } = pages.get(page);
    return { errors: heard.errors, failed: heard.failed, hosts: [...heard.hosts] };
  },
  async close({ page }) {
    await pages.get(page).context.close();
    pages.delete(page);
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const { id, deed, ...rest } = JSON.parse(line);
  try {
    const value = await deeds[deed](rest, pages.get(rest.page)?.page);
    process.stdout.write(`${JSON.stringify({ id, ok: true, value: value ?? null })}\n`);
  } catch (error) {
    process.stdout.write(`${JSON.stringify({ id, error: String(error) })}\n`);
  }
}
await browser.close();
