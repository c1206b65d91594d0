// The documentation in a real browser: opened at an operation, authorized, one call, and once more after a reload. BASE is the API's
// URL, ADMIN a token.
import assert from "node:assert/strict";
import { chromium } from "playwright-core";

const { BASE, ADMIN } = process.env;
const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });
const page = await browser.newPage();
const faults = [];
page.on("console", (message) => message.type() === "error" && faults.push(message.text()));
page.on("pageerror", (error) => faults.push(error.message));
page.on("request", (request) => new URL(request.url()).origin === BASE || faults.push(`a request to ${request.url()}`));

const operation = page.locator("#operations-Accounts-get-account");
async function execute() {
  await operation.getByRole("button", { name: "Execute" }).click();
  const body = operation.locator(".live-responses-table .response .highlight-code").first();
  await body.getByText("john.doe@company.com").waitFor();
}

await page.goto(`${BASE}/docs#/Accounts/get-account`);
await page.getByRole("button", { name: "Authorize", exact: true }).first().click();
await page.locator(".auth-container input").fill(ADMIN);
await page.locator(".auth-container").getByRole("button", { name: "Apply credentials" }).click();
await page.getByRole("button", { name: "Close", exact: true }).click();
await execute();

await page.reload();
await execute();

const { paths } = await (await fetch(`${BASE}/openapi.json`)).json();
const operations = Object.values(paths).flatMap((path) => Object.keys(path));
assert.equal(await page.locator(".opblock").count(), operations.length);
assert.deepEqual(faults, []);
await browser.close();
console.log("Chromium: the documentation sends a call, and keeps the authorization");
