import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { openCrypter } from "../../engine/passphrase";

describe("engine: the passphrase", () => {
  // Written by the real CLI for the passphrase "pass".
  const salt = "v1:ABb/rdfsUEI=:v1:tIpnwxQZiOxoAzeH:6W/C8VAr3QbgH/WXb47VjLctwa5e9Q==";
  const written = "v1:tcUvDZfU1/Xu6VRn:HD0t1LyOq54ssEyLFT4QL0LsCdFa06gPOhgY";

  it("reads a secret that the real CLI has written", async () => {
    assert.equal((await openCrypter("pass", salt)).decrypt(written), '"topsecret"');
  });

  it("is refused when it is another one", async () => {
    await assert.rejects(openCrypter("other", salt), /incorrect passphrase/);
  });

  it("encrypts, each time differently, what only the same passphrase and salt can read", async () => {
    const first = await openCrypter("one");
    const texts = [first.encrypt("hidden"), first.encrypt("hidden")];
    assert.notEqual(texts[0], texts[1]);
    assert.ok(texts.every((text) => !text.includes("hidden")));
    const again = await openCrypter("one", first.salt);
    assert.deepEqual(texts.map((text) => again.decrypt(text)), ["hidden", "hidden"]);
  });

  it("notices a value that was tampered with", async () => {
    const crypter = await openCrypter("one");
    const [version, nonce, body = ""] = crypter.encrypt("hidden").split(":");
    const bytes = Buffer.from(body, "base64");
    bytes[0] = (bytes[0] ?? 0) ^ 1;
    assert.throws(() => crypter.decrypt(`${version}:${nonce}:${bytes.toString("base64")}`));
  });
});
