import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { copyFile, rename, stat, utimes } from "node:fs/promises";
import { join } from "node:path";

import { ArchiveError } from "../../../provider/archive/archiveError";
import type { OpenOptions } from "../../../provider/archive/imagePackage";
import { fingerprintPackage } from "../../../provider/archive/index/fingerprint";
import { openPackage } from "../../../provider/archive/openPackage";
import { PackageSignature, readPublicKey } from "../../../provider/archive/signature";
import { image, layer } from "./make/image";
import type { Form } from "./make/pack";
import { writePackage } from "./make/pack";
import { Bench, contentOf, readAll } from "./make/read";
import { layout, named } from "./make/shapes";
import { openssl, Signer } from "./make/signing";

const [good, evil] = [image("good", [layer("good", 300_000)]), image("evil", [layer("evil", 300_000)])];
const packages = [good, evil].map((one) => layout([named(one, "gcr.io/a/b:1")]));

describe("archive: a package's detached signature", function () {
  const bench = new Bench();
  let signer: Signer;
  before(async () => {
    await bench.open();
    signer = new Signer(bench.folder);
  });
  after(() => bench.close());

  const written = (name: string, form: Form = "tar.xz", of = 0): Promise<string> =>
    writePackage(bench.folder, packages[of] ?? [], form, name);
  const code = async (work: Promise<unknown>): Promise<string> => {
    const error: unknown = await work.then(
      () => "none",
      (thrown: unknown) => thrown,
    );
    return error instanceof ArchiveError ? error.code : String(error);
  };
  /** Opens it as a push does, and closes it again. */
  const open = async (file: string, publicKey: string, path?: string, options: OpenOptions = {}): Promise<void> => {
    const signature = path === undefined ? { publicKey } : { path, publicKey };
    await (await openPackage(file, { cacheDir: false, ...options, signature })).close();
  };
  const text = (file: string): string => readFileSync(file, "utf8");
  /** The same file with one bit of it, or its end, changed. */
  const changed = (file: string, name: string, change: (bytes: Buffer) => Buffer): string => {
    const path = join(bench.folder, name);
    writeFileSync(path, change(readFileSync(file)));
    return path;
  };
  const flip =
    (at: number) =>
    (bytes: Buffer): Buffer => {
      const place = at < 0 ? bytes.length + at : at;
      bytes[place] = (bytes[place] ?? 0) ^ 1;
      return bytes;
    };

  it("S5: we and Debian's openssl agree on every package, signature and key", async () => {
    const file = await written("judged");
    const { size } = await stat(file);
    const other = signer.key("other");
    for (const curve of ["prime256v1", "secp384r1", "secp521r1"]) {
      const mine = signer.key(curve, curve);
      const signature = signer.sign(mine.secret, file, join(bench.folder, `${curve}.sig`));
      const cases: [string, string, string][] = [
        [mine.pem, signature, file],
        [other.pem, signature, file],
        [mine.pem, signer.sign(other.secret, file, join(bench.folder, `${curve}-other.sig`)), file],
        ...[0, Math.floor(size / 2), -1].map((at): [string, string, string] => [
          mine.pem,
          signature,
          changed(file, `flipped${at}`, flip(at)),
        ]),
        [mine.pem, signature, changed(file, "longer", (bytes) => Buffer.concat([bytes, Buffer.alloc(1)]))],
        ...[6, -1].map((at): [string, string, string] => [
          mine.pem,
          changed(signature, `bit${at}.sig`, flip(at)),
          file,
        ]),
        [mine.pem, changed(signature, "cut.sig", (bytes) => bytes.subarray(0, -1)), file],
        [mine.pem, changed(signature, "empty.sig", () => Buffer.alloc(0)), file],
      ];
      const verdicts: boolean[] = [];
      for (const [pem, path, of] of cases) {
        const found = await code(signatureFits(of, text(pem), path));
        assert.ok(["none", "SIGNATURE_WRONG"].includes(found), found);
        assert.equal(found === "none", signer.verifies(pem, path, of), `${curve} ${pem} ${path} ${of}`);
        verdicts.push(found === "none");
      }
      assert.deepEqual(
        verdicts,
        cases.map((_, n) => n === 0),
      );
    }
  });

  /** As opening it does, but of files that are no packages any more, too. */
  async function signatureFits(file: string, publicKey: string, path: string): Promise<void> {
    const signature = await PackageSignature.read(file, { path, publicKey });
    await fingerprintPackage(file, { cacheDir: false, signature });
  }

  it("S5: a signature beside the package, in base64, and keys as PEM and DER, are taken", async () => {
    const file = await written("beside");
    const mine = signer.key("beside");
    const signature = signer.sign(mine.secret, file);
    await open(file, text(mine.pem));
    const key = readPublicKey(readFileSync(mine.der), "key").export({ type: "spki", format: "pem" }).toString();
    assert.equal(key, text(mine.pem));
    const base64 = join(bench.folder, "base64.sig");
    openssl("base64", "-in", signature, "-out", base64);
    await open(file, key, base64);
  });

  it("S5: a missing signature, a wrong one, a folder, and keys that are none are errors with the way out", async () => {
    const file = await written("errors");
    const mine = signer.key("errors");
    assert.equal(await code(open(file, text(mine.pem))), "SIGNATURE_MISSING");
    await assert.rejects(
      open(file, text(mine.pem)),
      /errors\.tar\.xz\.1\.sig".* there is no such file\. Put it there, or name/,
    );
    // openssl would not look behind a signature of the longest kind.
    const longer = changed(signer.sign(mine.secret, file), "longer.sig", (bytes) =>
      Buffer.concat([bytes, Buffer.alloc(1)]),
    );
    await assert.rejects(open(file, text(mine.pem), longer), /is no whole ECDSA signature/);
    await assert.rejects(open(file, text(mine.pem), file), /is no whole ECDSA signature.* Fetch it again/);
    signer.sign(mine.secret, file);
    await assert.rejects(open(file, text(signer.key("stranger").pem)), ({ message }: Error) =>
      /is not the signature of .*errors\.tar\.xz" by this key: .* Fetch both again/.test(message),
    );
    assert.equal(await code(open(await written("unpacked", "folder"), text(mine.pem))), "SIGNATURE_UNFIT");
    const rsa = join(bench.folder, "rsa");
    openssl("genrsa", "-out", `${rsa}.key`, "2048");
    openssl("rsa", "-in", `${rsa}.key`, "-pubout", "-out", `${rsa}.pem`);
    const certificate = join(bench.folder, "certificate.pem");
    openssl("req", "-x509", "-key", mine.secret, "-subj", "/CN=a", "-out", certificate);
    for (const [bad, why] of [
      [text(`${rsa}.pem`), /it is a key of type rsa, not EC/],
      [text(mine.secret), /it is a private key, which must stay with the signer/],
      [text(certificate), /it is a certificate; openssl x509 -pubkey -noout prints its key/],
      ["nothing", /it cannot be read as a public key\. Give the signer's EC public key/],
      [Buffer.from("30820000", "hex"), /it cannot be read as a public key/],
    ] as const) {
      assert.throws(
        () => readPublicKey(bad, "signature.publicKey"),
        (error: unknown) =>
          error instanceof ArchiveError && error.code === "SIGNATURE_KEY_INVALID" && why.test(error.message),
      );
    }
  });

  for (const form of ["tar", "tar.xz"] as const) {
    it(`S5: a package that is exchanged once its signature was checked is not read to its end, as ${form}`, async () => {
      const mine = signer.key("exchanged");
      const other = await written(`evil-${form}`, form, 1);
      for (const how of ["before the pass", "in the pass", "and put back"] as const) {
        const file = await written(`exchanged-${how.replaceAll(" ", "-")}`, form);
        signer.sign(mine.secret, file);
        const { atime, mtime } = await stat(file);
        const exchange = async (): Promise<void> => {
          await copyFile(file, `${file}.good`);
          // Its length and times, as far as a program can set them, in the file itself.
          const bytes = Buffer.alloc(readFileSync(file).length);
          readFileSync(other).copy(bytes);
          writeFileSync(file, bytes);
          if (how === "and put back") {
            await copyFile(`${file}.good`, file);
          }
          await utimes(file, atime, mtime);
        };
        const opened = await openPackage(file, { cacheDir: bench.cacheDir, signature: { publicKey: text(mine.pem) } });
        try {
          const passed = async (): Promise<void> => {
            let first = true;
            if (how !== "in the pass") {
              await exchange();
            }
            await opened.read({
              signal: new AbortController().signal,
              wanted: () => true,
              blob: async (blob) => {
                await contentOf(blob);
                if (first && how === "in the pass") {
                  first = false;
                  await exchange();
                }
              },
            });
          };
          const found = await code(passed());
          assert.ok(
            ["ARCHIVE_CHANGED", "ARCHIVE_DIGEST_MISMATCH", "ARCHIVE_CORRUPT"].includes(found),
            `${how}: ${found}`,
          );
        } finally {
          await opened.close();
        }
        // Nothing of the other content is believed of the good one later.
        await rename(`${file}.good`, file);
        const { index } = await readAll(file, bench, {
          cacheDir: bench.cacheDir,
          signature: { publicKey: text(mine.pem) },
        });
        assert.equal(index.images[0]?.root.digest, good.root.digest);
      }
    });
  }

  it("S5: what an unsigned run learnt of a package is not believed of a signed one", async () => {
    const file = await written("learnt");
    const mine = signer.key("learnt");
    signer.sign(mine.secret, file);
    const old = new Date(Date.now() - 3_600_000);
    await utimes(file, old, old);
    const signature = { publicKey: text(mine.pem) };
    const cacheDir = join(bench.folder, "learnt-cache");
    assert.equal((await readAll(file, bench, { cacheDir })).known, false);
    assert.equal((await readAll(file, bench, { cacheDir })).known, true);
    assert.equal((await readAll(file, bench, { cacheDir, signature })).known, false);
    assert.equal((await readAll(file, bench, { cacheDir, signature })).known, true);
  });

  it("S5: a preview believes an earlier check of the unchanged file, key and signature; a push reads the file", async () => {
    const file = await written("earlier");
    const [mine, other] = [signer.key("earlier"), signer.key("earlier-other")];
    signer.sign(mine.secret, file);
    const old = new Date(Date.now() - 3_600_000);
    await utimes(file, old, old);
    const cacheDir = join(bench.folder, "earlier-cache");
    const reads = async (key: string, trustEarlierCheck: boolean, path = `${file}.1.sig`): Promise<number> => {
      let times = 0;
      const signature = await PackageSignature.read(file, { publicKey: text(key), path });
      const onRead = (): number => (times += 1);
      assert.match(
        await fingerprintPackage(file, { cacheDir, signature, trustEarlierCheck, onRead }),
        /^[0-9a-f]{64}$/,
      );
      return times;
    };
    assert.equal(await reads(mine.pem, true), 1, "nobody has checked it");
    assert.equal(await reads(mine.pem, true), 0);
    assert.equal(await reads(mine.pem, false), 1, "a push");
    assert.equal(await reads(mine.pem, true, signer.sign(mine.secret, file, `${file}.again`)), 1, "another signature");
    assert.equal(await code(reads(other.pem, true)), "SIGNATURE_WRONG");
    const bytes = readFileSync(file);
    writeFileSync(file, flip(bytes.length - 1)(bytes));
    await utimes(file, old, old);
    assert.equal(await code(reads(mine.pem, true)), "SIGNATURE_WRONG", "length, times and place are the old ones");
  });
});
