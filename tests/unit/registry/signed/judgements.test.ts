import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { createPublicKey } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { bundleFromJSON } from "@sigstore/bundle";
import { toSignedEntity, toTrustMaterial, Verifier } from "@sigstore/verify";

import type { MirrorError } from "../../../../provider/model/errors";
import { judgeBundle } from "../../../../provider/registry/signed/bundleSignature";
import { SignerKey } from "../../../../provider/registry/signed/signerKey";
import { judgeSimpleSignature } from "../../../../provider/registry/signed/simpleSignature";
import { bundle, bundleType, CosignKey, preAuthentication, simpleLayer, simpleText } from "../kit/cosign";
import vectors from "./sigstoreVectors.json";

const digest = `sha256:${"a1".repeat(32)}`;
const other = `sha256:${"b2".repeat(32)}`;
const intoto = "application/vnd.in-toto+json";
const kinds = ["P-256", "P-384", "P-521", "rsa", "ed25519"] as const;

describe("one signature of an image", () => {
  const folder = mkdtempSync(join(tmpdir(), "signed-test-"));
  const [mine, another] = [new CosignKey(), new CosignKey()];
  const key = SignerKey.read(mine.pem, "key");
  after(() => rmSync(folder, { recursive: true, force: true }));

  const simple = (signer: CosignKey, text: Buffer, options = {}): string => {
    const { layer, content } = simpleLayer(signer, text, options);
    return judgeSimpleSignature(layer, content.bytes, key, digest).is;
  };
  /** Whether Debian's openssl says so. */
  const openssl = (pem: string, kind: string, signature: Buffer, content: Buffer, hash = "sha256"): boolean => {
    const at = (name: string, bytes: Buffer | string): string => {
      writeFileSync(join(folder, name), bytes);
      return join(folder, name);
    };
    const [pub, sig, signed] = [at("pub", pem), at("sig", signature), at("signed", content)];
    const args =
      kind === "ed25519"
        ? ["pkeyutl", "-verify", "-pubin", "-inkey", pub, "-rawin", "-in", signed, "-sigfile", sig]
        : ["dgst", `-${hash}`, "-verify", pub, "-signature", sig, signed];
    return spawnSync("openssl", args).status === 0;
  };

  it("S5: cosign's older form: key, content and kind of what is signed", () => {
    const text = simpleText(digest);
    assert.equal(simple(mine, text), "valid");
    assert.equal(simple(another, text), "otherKey");
    assert.equal(simple(another, text, { "dev.sigstore.cosign/certificate": "PEM" }), "keyless");
    assert.equal(simple(mine, simpleText(digest, "atomic container signature")), "unreadable");
    assert.equal(simple(mine, Buffer.from("null")), "unreadable");
    assert.equal(simple(mine, Buffer.from("no JSON")), "unreadable");
    const { layer, content } = simpleLayer(mine, simpleText(other));
    assert.deepEqual(judgeSimpleSignature(layer as never, content.bytes, key, digest), {
      is: "otherImage",
      digest: other,
    });
    const changed = Buffer.from(content.bytes.toString().replace(other, digest));
    assert.equal(judgeSimpleSignature(layer as never, changed, key, digest).is, "otherKey");
    const bare = { ...layer, annotations: {} };
    assert.equal(judgeSimpleSignature(bare as never, content.bytes, key, digest).is, "unreadable");
  });

  it("S5: Sigstore's bundle: key, content and kind of what is signed; what a log says is not looked at", () => {
    const judge = (bytes: Buffer): string => judgeBundle(bytes, key, digest).is;
    assert.equal(judge(bundle(mine, digest)), "valid");
    assert.equal(judge(bundle(mine, digest, { tlog: true })), "valid");
    assert.equal(judge(bundle(another, digest)), "otherKey");
    assert.equal(judge(bundle(another, digest, { keyless: true })), "keyless");
    assert.deepEqual(judgeBundle(bundle(mine, other), key, digest), { is: "otherImage", digest: other });
    // A scan or an SBOM that the signer attests is no word that the image is good.
    assert.equal(judge(bundle(mine, digest, { predicateType: "https://slsa.dev/provenance/v1" })), "attestation");
    assert.equal(judge(bundle(mine, digest, { payloadType: "text/plain" })), "unreadable");
    assert.equal(judge(Buffer.from("{}")), "unreadable");
    assert.equal(judge(Buffer.from("no JSON")), "unreadable");
    const retyped = JSON.parse(bundle(mine, digest).toString()) as { dsseEnvelope: { payloadType: string } };
    retyped.dsseEnvelope.payloadType = "application/vnd.in-toto+jsom";
    assert.equal(judge(Buffer.from(JSON.stringify(retyped))), "otherKey", "the type is signed as well");
  });

  it("S5: whatever is changed in a signature, nothing else than what was signed is taken for signed", () => {
    const { layer, content } = simpleLayer(mine, simpleText(digest));
    for (let at = 0; at < content.bytes.length * 8; at += 7) {
      const changed = Buffer.from(content.bytes);
      changed.writeUInt8(changed.readUInt8(at >> 3) ^ (1 << (at & 7)), at >> 3);
      assert.equal(judgeSimpleSignature(layer as never, changed, key, digest).is, "otherKey", `bit ${at}`);
    }
    const whole = bundle(mine, digest);
    const payloadOf = (bytes: Buffer): string => {
      const { dsseEnvelope } = JSON.parse(bytes.toString()) as {
        dsseEnvelope: { payload: string; payloadType: string };
      };
      return `${dsseEnvelope.payloadType} ${Buffer.from(dsseEnvelope.payload, "base64").toString("hex")}`;
    };
    let taken = 0;
    for (let at = 0; at < whole.length * 8; at += 5) {
      const changed = Buffer.from(whole);
      changed.writeUInt8(changed.readUInt8(at >> 3) ^ (1 << (at & 7)), at >> 3);
      if (judgeBundle(changed, key, digest).is === "valid") {
        taken++;
        assert.equal(payloadOf(changed), payloadOf(whole), `bit ${at}`);
      }
    }
    // The hint and the key's id are nobody's word.
    assert.ok(taken > 0);
  });

  for (const kind of kinds) {
    it(`S5: a key of kind ${kind}, and openssl judges alike`, () => {
      const signer = new CosignKey(kind);
      const read = SignerKey.read(signer.pem, "key");
      const stranger = new CosignKey(kind).pem;
      const text = simpleText(digest);
      const { layer, content } = simpleLayer(signer, text);
      const signature = Buffer.from(
        (layer["annotations"] as Record<string, string>)["dev.cosignproject.cosign/signature"] as string,
        "base64",
      );
      assert.equal(judgeSimpleSignature(layer as never, content.bytes, read, digest).is, "valid");
      assert.equal(openssl(signer.pem, kind, signature, text), true);
      assert.equal(openssl(stranger, kind, signature, text), false);
      const theirs = SignerKey.read(stranger, "key");
      assert.equal(judgeSimpleSignature(layer as never, content.bytes, theirs, digest).is, "otherKey");

      const bytes = bundle(signer, digest);
      assert.equal(judgeBundle(bytes, read, digest).is, "valid");
      const { payload, signatures } = (
        JSON.parse(bytes.toString()) as { dsseEnvelope: { payload: string; signatures: { sig: string }[] } }
      ).dsseEnvelope;
      const signed = preAuthentication(intoto, Buffer.from(payload, "base64"));
      const sig = Buffer.from(signatures[0]?.sig ?? "", "base64");
      assert.equal(openssl(signer.pem, kind, sig, signed), true);
      assert.equal(openssl(stranger, kind, sig, signed), false);
    });
  }

  it("S5: the larger curves also with the hash that fits them", () => {
    for (const [kind, hash] of [
      ["P-384", "sha384"],
      ["P-521", "sha512"],
    ] as const) {
      const signer = new CosignKey(kind);
      const read = SignerKey.read(signer.pem, "key");
      assert.equal(judgeBundle(bundle(signer, digest, { hash }), read, digest).is, "valid");
      assert.equal(judgeBundle(bundle(signer, digest, { hash: "sha1" }), read, digest).is, "otherKey");
    }
  });

  for (const { kind, publicKey, text, signature, envelope } of vectors) {
    // Its verifiers took ours for valid when these were made.
    it(`S5: what the Go library of cosign signed (sigstore/sigstore 1.10.0), ${kind}`, () => {
      const read = SignerKey.read(publicKey, "key");
      const layer = { annotations: { "dev.cosignproject.cosign/signature": signature } };
      assert.equal(judgeSimpleSignature(layer as never, Buffer.from(text), read, digest).is, "valid");
      const whole = Buffer.from(
        JSON.stringify({
          mediaType: bundleType,
          verificationMaterial: { publicKey: { hint: "any" } },
          dsseEnvelope: envelope,
        }),
      );
      assert.equal(judgeBundle(whole, read, digest).is, "valid");
      assert.equal(judgeBundle(whole, key, digest).is, "otherKey");
    });
  }

  it("S5: Sigstore's own verifier judges the bundles alike", () => {
    const accepts = (bytes: Buffer): boolean => {
      const none = { certificateAuthorities: [], timestampAuthorities: [], tlogs: [], ctlogs: [] };
      const der = Buffer.from(mine.pem.split("\n").slice(1, -2).join(""), "base64");
      const trust = toTrustMaterial({ mediaType: "", ...none }, () => ({
        publicKey: createPublicKey({ key: der, format: "der", type: "spki" }),
        validFor: () => true,
      }));
      const verifier = new Verifier(trust, { ctlogThreshold: 0, tlogThreshold: 0, timestampThreshold: 0 });
      try {
        verifier.verify(toSignedEntity(bundleFromJSON(JSON.parse(bytes.toString()))));
        return true;
      } catch {
        return false;
      }
    };
    assert.equal(accepts(bundle(mine, digest)), true);
    assert.equal(accepts(bundle(another, digest)), false);
    // It is why it is not used: the log of this entry is not known here.
    assert.equal(accepts(bundle(mine, digest, { tlog: true })), false);
  });

  it("S5: a key that is none, or of a kind that cosign does not sign with, is told", () => {
    const told = (given: string | Buffer): string => {
      try {
        SignerKey.read(given, "requireSigned.publicKey");
      } catch (error) {
        const { code, message } = error as MirrorError;
        assert.equal(code, "SIGNATURE_KEY_INVALID");
        return message;
      }
      return "";
    };
    const made = (...args: string[]): string => execFileSync("openssl", args, { encoding: "utf8", stdio: "pipe" });
    const secret = made("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:prime256v1");
    assert.match(told(secret), /^requireSigned\.publicKey: it is a private key/);
    assert.match(told("-----BEGIN CERTIFICATE-----\n"), /certificate; openssl x509 -pubkey/);
    assert.match(told("nothing"), /cannot be read as a public key/);
    const small = made("genrsa", "1024");
    writeFileSync(join(folder, "small"), small);
    assert.match(
      told(made("rsa", "-in", join(folder, "small"), "-pubout")),
      /a key of type rsa 1024 bits, which cosign/,
    );
    writeFileSync(join(folder, "odd"), made("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:secp256k1"));
    assert.match(told(made("pkey", "-in", join(folder, "odd"), "-pubout")), /a key of type ec secp256k1/);
    const der = Buffer.from(mine.pem.split("\n").slice(1, -2).join(""), "base64");
    assert.equal(SignerKey.read(der, "key").pem, mine.pem);
  });
});
