import type { Bundle } from "@sigstore/bundle";
import { bundleFromJSON } from "@sigstore/bundle";

import type { Digest } from "../../model/digest";
import { signPredicate } from "../../model/signatureLayer";
import type { Judgement } from "./judgement";
import type { SignerKey } from "./signerKey";

interface Statement {
  _type?: unknown;
  subject?: unknown;
  predicateType?: unknown;
}

/**
 * Sigstore's bundle, as `cosign sign` writes it since version 3: an in-toto statement about the image in a DSSE envelope.
 *
 * What a transparency log says of it is not looked at: the key is known, and the log is not reached from everywhere. That
 * is why the signature is checked here: \@sigstore/verify checks each log entry of a bundle, also where none is asked for,
 * and knows no other hash than SHA-256.
 */
export function judgeBundle(content: Buffer, key: SignerKey, subject: Digest): Judgement {
  const bundle = bundleOf(content);
  if (bundle?.content.$case !== "dsseEnvelope") {
    return { is: "unreadable" };
  }
  const { payload, payloadType, signatures } = bundle.content.dsseEnvelope;
  const signed = envelopeText(payloadType, payload);
  if (!signatures.some(({ sig }) => key.hasSigned(signed, sig))) {
    return { is: bundle.verificationMaterial.content.$case === "publicKey" ? "otherKey" : "keyless" };
  }
  const statement = payloadType === "application/vnd.in-toto+json" ? statementOf(payload) : undefined;
  if (typeof statement?._type !== "string" || !statement._type.startsWith("https://in-toto.io/Statement/")) {
    return { is: "unreadable" };
  }
  if (statement.predicateType !== signPredicate) {
    return { is: "attestation" };
  }
  const digests = subjectsOf(statement);
  return digests.includes(subject) ? { is: "valid" } : { is: "otherImage", digest: digests[0] ?? "no digest" };
}

function bundleOf(content: Buffer): Bundle | undefined {
  try {
    return bundleFromJSON(JSON.parse(content.toString("utf8")));
  } catch {
    return undefined;
  }
}

/** What is signed of an envelope (DSSE 1.0, "Pre-Authentication Encoding"). */
function envelopeText(type: string, payload: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`DSSEv1 ${Buffer.byteLength(type)} ${type} ${payload.length} `), payload]);
}

function statementOf(payload: Buffer): Statement | undefined {
  try {
    return (JSON.parse(payload.toString("utf8")) ?? undefined) as Statement | undefined;
  } catch {
    return undefined;
  }
}

function subjectsOf({ subject }: Statement): Digest[] {
  const subjects = Array.isArray(subject) ? (subject as ({ digest?: Record<string, unknown> } | null)[]) : [];
  return subjects.flatMap((one) =>
    Object.entries(one?.digest ?? {}).flatMap(([algorithm, hex]) =>
      typeof hex === "string" ? [`${algorithm}:${hex}`] : [],
    ),
  );
}
