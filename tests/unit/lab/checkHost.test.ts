import assert from "node:assert/strict";

import { checkHost, type HostProbe, tools } from "../../lab/lab/host";
import { LabError } from "../../lab/lab/labError";
import { sharedLabOrSkip } from "../../lab/lab/sharedLab";

const capable: HostProbe = {
  platform: "linux",
  uid: 0,
  capabilities: 0x1ffffffffffn,
  hasProgram: () => true,
  hasFile: () => true,
  hasFileSystem: () => true,
  cache: () => ({ folder: "/cache", filled: false, type: 0xef53, freeBytes: 50e9 }),
};

describe("lab: can this machine run it", () => {
  it("a Debian with root can, also when every program has to be installed first", () => {
    assert.deepEqual(checkHost(capable), { ok: true, missing: [] });
    const bare = {
      ...capable,
      hasFile: () => false,
      hasProgram: (program: string) => ["apt-get", "dpkg"].includes(program),
    };
    assert.deepEqual(checkHost(bare), { ok: true, missing: [] });
  });

  for (const [what, change, says] of [
    ["another system", { platform: "darwin" }, /needs Linux; this is darwin: use a Debian or Ubuntu/],
    ["no root", { uid: 1000 }, /needs root: run the command as root/],
    ["a container without rights", { capabilities: 0xa80425fbn }, /no CAP_SYS_ADMIN.*privileged container/],
    ["no overlay", { hasFileSystem: (type: string) => type !== "overlay" }, /kernel knows no overlay/],
    [
      "a cache on an overlay",
      { cache: () => ({ ...capable.cache(), type: 0x794c7630 }) },
      /\/cache lies on an overlay file system.*REGISTRY_MIRROR_LAB_CACHE/,
    ],
    [
      "a full disk",
      { cache: () => ({ ...capable.cache(), freeBytes: 2 ** 30 }) },
      /need 4 GB below \/cache and 1\.0 GB are free/,
    ],
  ] as const) {
    it(`says what to do about ${what}`, () => {
      const check = checkHost({ ...capable, ...change });
      assert.equal(check.ok, false);
      assert.equal(check.missing.length, 1, check.missing.join("\n"));
      assert.match(check.missing[0] ?? "", says);
    });
  }

  it("names every program that is missing where there is no apt", () => {
    const check = checkHost({ ...capable, hasProgram: () => false, hasFile: () => false });
    assert.equal(check.ok, false);
    for (const tool of tools) assert.ok(check.missing[0]?.includes(tool.program), tool.program);
    assert.match(check.missing[0] ?? "", /docker-registry, and there is no apt-get/);
  });

  it("a suite is skipped by name there, and fails where CI=true", async () => {
    const cannot = checkHost({ ...capable, uid: 1000 });
    const before = process.env.CI;
    const warn = console.warn;
    const warned: string[] = [];
    const context = {
      skip: (): never => {
        throw new Error("skipped");
      },
      timeout: () => 0,
    } as unknown as Mocha.Context;
    try {
      console.warn = (line: string) => warned.push(line);
      delete process.env.CI;
      await assert.rejects(sharedLabOrSkip(context, cannot), /^Error: skipped$/);
      assert.match(warned.join(), /needs root/);
      process.env.CI = "true";
      await assert.rejects(
        sharedLabOrSkip(context, cannot),
        (error) => error instanceof LabError && error.code === "LAB_HOST" && error.message.includes("needs root"),
      );
    } finally {
      console.warn = warn;
      if (before === undefined) delete process.env.CI;
      else process.env.CI = before;
    }
  });
});
