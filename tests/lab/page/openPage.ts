import { readFileSync } from "node:fs";
import { join } from "node:path";

import { LabError } from "../lab/index";
import type { Browser } from "./browser";

const inPage = readFileSync(join(__dirname, "inPage.js"), "utf8");

/** How a person looks at it. */
export interface View {
  readonly width?: number;
  readonly height?: number;
  readonly scheme?: "light" | "dark";
  readonly media?: "screen" | "print";
  readonly scripts?: boolean;
}

/** A page in the browser. */
export class OpenPage {
  /** What the browser complains of: errors, warnings, violations of the page's policy, what scripts throw or print. */
  readonly complaints: string[] = [];
  private readonly asked = new Map<string, string>();

  private constructor(
    private readonly browser: Browser,
    private readonly session: string,
  ) {
    browser.listen(session, (method, params) => {
      const told = {
        "Runtime.exceptionThrown": params["exceptionDetails"],
        "Runtime.consoleAPICalled": params["args"],
        "Log.entryAdded": params["entry"],
      }[method];
      if (told !== undefined) {
        this.complaints.push(JSON.stringify(told));
      }
      if (method === "Network.requestWillBeSent") {
        this.asked.set(params["requestId"] as string, (params["request"] as { url: string }).url);
      }
      if (method === "Network.loadingFailed" && params["blockedReason"] === "csp") {
        this.asked.delete(params["requestId"] as string);
      }
    });
  }

  /** Addresses that were asked for; what the page's policy stopped is told before it is. */
  get requests(): string[] {
    return [...this.asked.values()];
  }

  /** @param file In the folder of pages. */
  static async open(browser: Browser, file: string, view: View = {}): Promise<OpenPage> {
    const { targetId } = await browser.send<{ targetId: string }>("Target.createTarget", { url: "about:blank" });
    const { sessionId } = await browser.send<{ sessionId: string }>("Target.attachToTarget", {
      targetId,
      flatten: true,
    });
    const page = new OpenPage(browser, sessionId);
    for (const domain of ["Page", "Runtime", "Log", "Network"]) {
      await page.send(`${domain}.enable`);
    }
    await page.look(view);
    const loaded = new Promise<void>((resolve) =>
      browser.listen(sessionId, (method) => {
        if (method === "Page.loadEventFired") {
          resolve();
        }
      }),
    );
    await page.send("Page.navigate", { url: `file:///page/${file}` });
    await loaded;
    await page.evaluate(inPage);
    return page;
  }

  async look({ width = 1280, height = 900, scheme = "light", media = "screen", scripts = true }: View): Promise<void> {
    await this.send("Emulation.setDeviceMetricsOverride", { width, height, deviceScaleFactor: 1, mobile: false });
    const features = [{ name: "prefers-color-scheme", value: scheme }];
    await this.send("Emulation.setEmulatedMedia", { media, features });
    await this.send("Emulation.setScriptExecutionDisabled", { value: !scripts });
  }

  /** What an expression is in the page; it must be JSON. */
  async evaluate<T = unknown>(expression: string): Promise<T> {
    const { result, exceptionDetails } = await this.send<{
      result: { value: T };
      exceptionDetails?: { exception?: { description?: string } };
    }>("Runtime.evaluate", { expression, returnByValue: true, awaitPromise: true });
    if (exceptionDetails !== undefined) {
      throw new LabError("LAB_PAGE", exceptionDetails.exception?.description ?? expression);
    }
    return result.value;
  }

  async press(key: "Tab" | "Enter" | " "): Promise<void> {
    const code = { Tab: ["Tab", 9], Enter: ["Enter", 13], " ": ["Space", 32] }[key];
    const text = key === "Tab" ? {} : { text: key === "Enter" ? "\r" : " " };
    const event = { key, code: code[0], windowsVirtualKeyCode: code[1] };
    await this.send("Input.dispatchKeyEvent", { type: "keyDown", ...event, ...text });
    await this.send("Input.dispatchKeyEvent", { type: "keyUp", ...event });
  }

  async type(text: string): Promise<void> {
    await this.send("Input.insertText", { text });
  }

  /** On paper. */
  async print(): Promise<Buffer> {
    const { data } = await this.send<{ data: string }>("Page.printToPDF", { printBackground: false });
    return Buffer.from(data, "base64");
  }

  /** All of it, as a PNG. */
  async picture(scale: number): Promise<Buffer> {
    const size = await this.evaluate<{ width: number; height: number }>(
      "({ width: document.documentElement.clientWidth, height: document.documentElement.scrollHeight })",
    );
    const { data } = await this.send<{ data: string }>("Page.captureScreenshot", {
      captureBeyondViewport: true,
      clip: { x: 0, y: 0, ...size, scale },
    });
    return Buffer.from(data, "base64");
  }

  private async send<T = Record<string, unknown>>(method: string, params: object = {}): Promise<T> {
    return this.browser.send<T>(method, params, this.session);
  }
}
