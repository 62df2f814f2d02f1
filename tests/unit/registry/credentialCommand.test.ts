import { deepStrictEqual, match, ok, rejects, strictEqual } from "node:assert";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { sha256 } from "../../../provider/model/digest";
import { runCredentialCommand } from "../../../provider/registry/auth/credentialCommand";
import type { RegistryError } from "../../../provider/registry/registryError";
import { Bench } from "./kit/bench";
import type { FakeRegistry } from "./kit/fakeRegistry";
import { refusal } from "./kit/fakeRegistry";

const basic = (user: string, password: string): string =>
  `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;

describe("credentialCommand", () => {
  let bench: Bench;
  let server: FakeRegistry;
  let folder: string;
  beforeEach(async () => {
    bench = new Bench();
    server = await bench.server();
    folder = mkdtempSync(join(tmpdir(), "command-"));
  });
  afterEach(async () => {
    await bench.end();
    rmSync(folder, { recursive: true });
  });

  const { signal } = new AbortController();
  const print = (text: string): string[] => ["printf", "%s", text];

  /** A script that prints one more than the last time, and how often it was run. */
  function counting(): { command: string[]; runs: () => number } {
    const count = join(folder, "count");
    writeFileSync(count, "");
    const script = join(folder, "token.sh");
    writeFileSync(script, `printf x >> ${count}\nprintf "token-%s" "$(wc -c < ${count})"\n`);
    return { command: ["sh", script], runs: () => readFileSync(count).length };
  }

  /** Wants the password that is the right one at the time. */
  function wantsBasic(right: () => string): void {
    server.script = ({ request, answer }) => {
      if (request.headers.authorization !== basic("AWS", right())) {
        answer(401, refusal("UNAUTHORIZED", "authentication required"), { "www-authenticate": 'Basic realm="lab"' });
        return true;
      }
      return false;
    };
  }

  const later = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

  it("P5: prints the password of username, or both as Docker's helpers do", async () => {
    deepStrictEqual(await runCredentialCommand(["echo", "s3cret"], "AWS", signal), {
      kind: "password",
      username: "AWS",
      password: "s3cret",
    });
    deepStrictEqual(await runCredentialCommand(print('{"Username":"u","Secret":"p w"}'), undefined, signal), {
      kind: "password",
      username: "u",
      password: "p w",
    });
    deepStrictEqual(await runCredentialCommand(print('{"Username":"<token>","Secret":"T"}'), undefined, signal), {
      kind: "identityToken",
      token: "T",
    });
  });

  it("P5: nothing of an argument is a shell's", async () => {
    const { kind } = await runCredentialCommand(print("$(touch x);`id`"), "AWS", signal);
    strictEqual(kind, "password");
    strictEqual(((await runCredentialCommand(print("$HOME"), "u", signal)) as { password: string }).password, "$HOME");
  });

  const failures: [string, string[], string | undefined, RegExp][] = [
    [
      "no such program",
      ["no-such-program-here"],
      "u",
      /credentialCommand: no-such-program-here is not on PATH\. Install it/,
    ],
    [
      "it fails",
      ["sh", "-c", "echo hidden; echo expired login >&2; exit 4"],
      "u",
      /sh ended with code 4: expired login$/,
    ],
    ["it prints nothing", ["true"], "u", /true printed nothing/],
    ["it prints a page", print("hidden\nhidden"), "u", /more than one line/],
    ["no JSON, no user", print("hidden"), undefined, /is not JSON\. Give username beside it/],
    ["an empty pair", print('{"Username":"","Secret":""}'), undefined, /an empty credential/],
  ];
  for (const [title, command, username, pattern] of failures) {
    it(`P5: ${title}: an error that says so and quotes no secret`, async () => {
      await rejects(runCredentialCommand(command, username, signal), (error: RegistryError) => {
        strictEqual(error.code, "CREDENTIAL_COMMAND_FAILED");
        match(error.message, pattern);
        ok(!error.message.includes("hidden"), error.message);
        return true;
      });
    });
  }

  it("a command that waits is ended, and so is one when the run is", async () => {
    await rejects(
      runCredentialCommand(["sh", "-c", "sleep 30; echo x"], "u", signal, { limitMs: 200 }),
      /no credential within 0\.2 s/,
    );
    const controller = new AbortController();
    const asked = runCredentialCommand(["sleep", "30"], "u", controller.signal);
    setTimeout(() => controller.abort(new Error("cancelled")), 50);
    await rejects(asked, /cancelled/);
  });

  it("P5: basic: run once, and again when the registry no longer takes what it printed", async () => {
    const { command, runs } = counting();
    wantsBasic(() => "token-1");
    const registry = bench.registry({ endpoint: server.url, username: "AWS", credentialCommand: command });
    await registry.ping();
    await Promise.all([1, 2, 3].map((n) => registry.hasBlob("a", sha256(String(n)))));
    strictEqual(runs(), 1);
    await later(1_100);
    wantsBasic(() => "token-2");
    const bytes = Buffer.from("content");
    await Promise.all([
      registry.uploadBlob("a", { digest: sha256(bytes), size: bytes.length, bytes }),
      ...[4, 5, 6].map((n) => registry.hasBlob("a", sha256(String(n)))),
    ]);
    ok(server.hasBlob("a", sha256(bytes)));
    strictEqual(runs(), 2, "one renewal, however many requests were refused");
  });

  it("P5: a wrong one is refused at once, and its command is not run over and over", async () => {
    const { command, runs } = counting();
    wantsBasic(() => "another");
    const registry = bench.registry({ endpoint: server.url, username: "AWS", credentialCommand: command });
    await rejects(registry.ping(), (error: RegistryError) => {
      strictEqual(error.code, "REGISTRY_UNAUTHORIZED");
      const printed = 'did not accept user "AWS" with what registry.credentialCommand (sh) printed (';
      ok(error.message.includes(printed), error.message);
      match(error.message, /\. Run that command by hand: .*; check username too\.$/);
      ok(!error.message.includes("token-1"), error.message);
      return true;
    });
    strictEqual(runs(), 1);
  });

  it("P5: bearer: the token server is shown a new one when it refuses the old", async () => {
    const { command, runs } = counting();
    let right = "token-1";
    const shown: (string | undefined)[] = [];
    server.script = ({ path, request, answer }) => {
      const { authorization } = request.headers;
      if (path === "/token") {
        shown.push(authorization);
        const holds = authorization === basic("AWS", right);
        answer(holds ? 200 : 401, holds ? { token: right, expires_in: 1 } : { details: "expired" });
        return true;
      }
      if (authorization !== `Bearer ${right}`) {
        answer(401, refusal("UNAUTHORIZED", ""), { "www-authenticate": `Bearer realm="${server.url}/token"` });
        return true;
      }
      return false;
    };
    const registry = bench.registry({ endpoint: server.url, username: "AWS", credentialCommand: command });
    await registry.ping();
    await later(1_100);
    right = "token-2";
    await registry.hasBlob("a", sha256("x"));
    strictEqual(runs(), 2);
    deepStrictEqual(shown.slice(-2), [basic("AWS", "token-1"), basic("AWS", "token-2")]);
  });

  it("P5: a Docker config is read again when the registry refuses what was in it", async () => {
    const file = join(folder, "config.json");
    const write = (password: string): void =>
      writeFileSync(
        file,
        JSON.stringify({ auths: { [server.hostPort]: { auth: Buffer.from(`AWS:${password}`).toString("base64") } } }),
      );
    write("old");
    wantsBasic(() => "old");
    const registry = bench.registry({ endpoint: server.url, dockerConfigPath: file });
    await registry.ping();
    await later(1_100);
    wantsBasic(() => "new");
    write("new");
    strictEqual(await registry.hasBlob("a", sha256("x")), false);
  });
});
