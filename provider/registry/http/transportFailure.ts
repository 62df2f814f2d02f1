import type { PeerCertificate } from "node:tls";
import { connect as tlsConnect } from "node:tls";

import type { ErrorCode } from "../../model/codes";
import { messageOf } from "../../model/errors";
import { RegistryError } from "../registryError";
import type { GivenCertificates } from "./certificates";
import { oneLine } from "./certificates";
import type { HttpRequest } from "./httpExchange";
import { proxyRefusal } from "./undiciText";

interface Surroundings {
  proxy: URL | undefined;
  given: GivenCertificates | undefined;
  /** What errors call the registry. */
  argument: string;
}

/** Codes after which the same request may well succeed a moment later. */
export const transientCodes: readonly ErrorCode[] = [
  "REGISTRY_UNREACHABLE",
  "REGISTRY_TIMEOUT",
  "REGISTRY_CONNECTION_LOST",
];

/** Turns what the HTTP library or TLS said into an error that names the place and the way out. */
export async function explainFailure(
  error: unknown,
  request: HttpRequest,
  around: Surroundings,
): Promise<RegistryError> {
  const place = `${request.url.hostname}:${request.url.port || (request.url.protocol === "https:" ? "443" : "80")}`;
  const via = around.proxy === undefined ? "" : ` by the proxy ${around.proxy.protocol}//${around.proxy.host}`;
  const what = `${request.method} ${request.url.origin}${request.url.pathname}: `;
  const { code, text } = rootOf(error);
  const make = (ours: ErrorCode, ofHost: string, request = ""): RegistryError =>
    new RegistryError(ours, `${request}${ofHost}`, { cause: error, ofHost });

  if (/^ERR_SSL_.*(?:_ALERT_|UNSUPPORTED_PROTOCOL)/.test(code)) {
    return handshakeFailure(error, code, place, via);
  }
  if (/certificate|CERT|ALTNAME|SELF_SIGNED|UNABLE_TO_(?:VERIFY|GET)/.test(code)) {
    return certificateFailure(error, code, request, place, around);
  }
  if (/WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|HTTP_REQUEST/.test(code)) {
    return make(
      "REGISTRY_NOT_TLS",
      `${place} does not speak TLS${via}: it answered the https handshake with something else. If this registry has no TLS, say so with http:// in front of its endpoint.`,
    );
  }
  const status = proxyRefusal(text);
  if (status !== undefined && around.proxy !== undefined) {
    return make(
      "PROXY_REFUSED",
      status === 407
        ? `the proxy ${around.proxy.host} wants credentials (407): give them as http://USER:PASSWORD@${around.proxy.host} in ${around.argument}.proxy or HTTPS_PROXY.`
        : `the proxy ${around.proxy.host} refused a connection to ${place} (status ${status}): allow it there, or name the registry in NO_PROXY to go directly.`,
    );
  }
  switch (code) {
    case "ENOTFOUND":
      return make(
        "REGISTRY_UNKNOWN_HOST",
        `the name "${around.proxy?.hostname ?? request.url.hostname}" cannot be resolved. Check its spelling${around.proxy === undefined ? "" : " in the proxy's address"}, or this machine's DNS.`,
        what,
      );
    case "ECONNREFUSED":
    case "EHOSTUNREACH":
    case "ENETUNREACH":
    case "EHOSTDOWN":
    case "EADDRNOTAVAIL":
    case "EAI_AGAIN":
    case "UND_ERR_CONNECT_TIMEOUT":
    case "ETIMEDOUT":
      return make(
        "REGISTRY_UNREACHABLE",
        `no connection to ${around.proxy === undefined ? place : `the proxy ${around.proxy.host}`} (${text}). Check address and port, that it is running, and firewalls or proxy settings in between.`,
        what,
      );
    case "UND_ERR_HEADERS_TIMEOUT":
    case "UND_ERR_BODY_TIMEOUT":
      return make("REGISTRY_TIMEOUT", `${place} gave no answer in time${via} (${text}).`, what);
    default:
      return make("REGISTRY_CONNECTION_LOST", `the connection to ${place} broke${via} (${text}).`, what);
  }
}

function rootOf(error: unknown): { code: string; text: string } {
  let code = "";
  const texts: string[] = [];
  for (let e: unknown = error, depth = 0; e !== undefined && e !== null && depth < 5; depth++) {
    if (e instanceof AggregateError) {
      e = e.errors[0];
      continue;
    }
    const own = (e as { code?: unknown }).code;
    if (typeof own === "string" && (code === "" || code.startsWith("UND_ERR_") || code === "EPROTO")) {
      code = own;
    }
    texts.push(messageOf(e));
    e = (e as { cause?: unknown }).cause;
  }
  return {
    code,
    text:
      texts
        .filter((t) => t !== "")
        .join(": ")
        .split("\n")[0] ?? "",
  };
}

/**
 * The other side ended the handshake with an alert (RFC 8446, 6), or chose a version that is not taken here: another
 * try ends the same.
 */
function handshakeFailure(error: unknown, code: string, place: string, via: string): RegistryError {
  const make = (ours: ErrorCode, ofHost: string): RegistryError =>
    new RegistryError(ours, ofHost, { cause: error, ofHost });
  if (/PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL/.test(code)) {
    return make(
      "REGISTRY_TLS_VERSION",
      `${place} offers no TLS version from 1.2 on${via}, which is the least that is used here and by containerd on the nodes. Enable TLS 1.2 or 1.3 on the registry, or on what ends TLS in front of it.`,
    );
  }
  if (code.includes("CERTIFICATE_REQUIRED")) {
    return make(
      "REGISTRY_CLIENT_CERTIFICATE",
      `${place} wants a client certificate${via}, which cannot be given here. Let it take a user and password, or requests without them, from this machine.`,
    );
  }
  const alert = code
    .replace(/^ERR_SSL_.*_ALERT_/, "")
    .replaceAll("_", " ")
    .toLowerCase();
  return make(
    "REGISTRY_TLS_REFUSED",
    `${place} broke the TLS handshake off${via} (${alert}). Check which TLS versions, ciphers and client certificates it asks for.`,
  );
}

async function certificateFailure(
  error: unknown,
  code: string,
  request: HttpRequest,
  place: string,
  around: Surroundings,
): Promise<RegistryError> {
  // Through a proxy the certificate may be either side's, and a second look would not show the same one.
  const seen = around.proxy === undefined ? await peerCertificate(request.url) : undefined;
  const make = (ours: ErrorCode, ofHost: string): RegistryError =>
    new RegistryError(ours, ofHost, { cause: error, ofHost });
  const names = seen === undefined ? "" : ` (subject ${nameOf(seen.subject)}, issued by ${nameOf(seen.issuer)})`;
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID") {
    const alternatives = seen?.subjectaltname ?? "none";
    return make(
      "REGISTRY_CERTIFICATE_NAME",
      `the certificate of ${place}${names} is not made out to "${request.url.hostname}" but to: ${alternatives}. Use one of these names in the endpoint, or have the certificate made with this one as subject alternative name.`,
    );
  }
  if (code === "CERT_HAS_EXPIRED" || code === "CERT_NOT_YET_VALID") {
    const dates = seen === undefined ? "" : `: valid from ${seen.valid_from} to ${seen.valid_to}`;
    return make(
      "REGISTRY_CERTIFICATE_EXPIRED",
      `the certificate of ${place}${names}, or a CA above it, is ${code === "CERT_HAS_EXPIRED" ? "expired" : "not yet valid"}${dates}. Renew it, or check this machine's clock.`,
    );
  }
  const ca =
    around.given === undefined
      ? `by any CA that this machine trusts: give the CA that signed it as ${around.argument}.caCertPath or caCert`
      : `by the CA in ${around.given.where} (subject ${around.given.certificates.map((c) => oneLine(c.subject)).join("; ")}) or any CA that this machine trusts: give the CA that did sign it`;
  const who = around.proxy === undefined ? place : `${place} or of the proxy ${around.proxy.host}`;
  return make(
    "REGISTRY_CERTIFICATE_UNKNOWN",
    `the certificate of ${who}${names} is not signed ${ca}; insecure: true would accept any certificate (${code}).`,
  );
}

function nameOf(name: PeerCertificate["subject"] | undefined): string {
  const parts = Object.entries(name ?? {}).map(
    ([key, value]) => `${key}=${Array.isArray(value) ? value.join("+") : String(value)}`,
  );
  return parts.length === 0 ? "(empty)" : parts.reverse().join(", ");
}

/** Looks at a server's certificate without trusting it and without sending anything. */
function peerCertificate(url: URL): Promise<PeerCertificate | undefined> {
  return new Promise((resolve) => {
    const host = url.hostname.replace(/^\[|\]$/g, "");
    const socket = tlsConnect({
      host,
      port: Number(url.port || "443"),
      rejectUnauthorized: false,
      timeout: 5_000,
      ...(/^[0-9.:]+$/.test(host) ? {} : { servername: host }),
    });
    const done = (certificate: PeerCertificate | undefined): void => {
      socket.destroy();
      resolve(certificate);
    };
    socket.once("secureConnect", () => {
      const certificate = socket.getPeerCertificate();
      done(Object.keys(certificate).length === 0 ? undefined : certificate);
    });
    socket.once("timeout", () => done(undefined));
    socket.once("error", () => done(undefined));
  });
}
