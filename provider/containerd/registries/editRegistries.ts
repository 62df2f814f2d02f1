import type { Document } from "yaml";
import { isMap, parseDocument, Scalar } from "yaml";

import { messageOf } from "../../model/errors";
import { ContainerdError } from "../containerdError";
import { withOriginalLines } from "./originalLines";
import { readRegistries, type Registries } from "./registriesYaml";
import { mapInPlaceOf, replaceNode } from "./replaceNode";
import { styleOf } from "./yamlStyle";

/** What is to be different in registries.yaml; everything else stays. */
export interface RegistriesChange {
  /** Namespace -> its endpoints; what else its entry said goes. None: the entry goes. */
  mirrors: Record<string, string[]>;
  /** By host: how its certificate is checked; a client certificate stays. */
  tls: Record<string, { caFile?: string; insecure?: boolean }>;
  /** By host. */
  auth: Record<string, { username: string; password: string }>;
}

/**
 * Edits registries.yaml, with comments and order kept.
 *
 * @returns the very same text where nothing changes
 * @throws ContainerdError CONTAINERD_REGISTRIES where it cannot be edited so that it says what is meant, and the rest as
 * before
 */
export function editRegistries(text: string, change: RegistriesChange, path: string): string {
  const before = readRegistries(text, path);
  const doc = parseDocument(text, { version: "1.1" });
  if (!isMap(doc.contents)) {
    doc.contents = doc.createNode({}) as unknown as typeof doc.contents;
  }
  const edits = editsOf(before, change);
  if (edits.length === 0) {
    return text;
  }
  const style = styleOf(text);
  let result: string;
  let found: Registries;
  try {
    const unchanged = doc.toString(style);
    for (const { at, value } of edits) {
      if (value === undefined) {
        doc.deleteIn(at);
      } else {
        setIn(doc, at, value);
      }
    }
    result = withOriginalLines(text, unchanged, doc.toString(style));
    found = readRegistries(result, path);
  } catch (error) {
    throw notEditable(path, messageOf(error));
  }
  const wanted = applied(before, change);
  if (!saySame(found, wanted)) {
    throw notEditable(path, "the result would say something else");
  }
  return result;
}

/** Whether two readings say the same, however they are written. */
export function saySame(one: Registries, other: Registries): boolean {
  return canonical(one) === canonical(other);
}

function notEditable(path: string, why: string): ContainerdError {
  return new ContainerdError(
    "CONTAINERD_REGISTRIES",
    `${path} cannot be edited (${why}); write its entries out, without anchors and aliases, and run again`,
  );
}

interface Edit {
  at: string[];
  /** Undefined: taken out. */
  value: unknown;
}

function editsOf({ mirrors, configs }: Registries, change: RegistriesChange): Edit[] {
  const edits: Edit[] = [];
  for (const [host, endpoints] of Object.entries(change.mirrors)) {
    const own = mirrors[host];
    if (endpoints.length === 0) {
      if (own !== undefined) {
        edits.push({ at: ["mirrors", host], value: undefined });
      }
    } else if (own?.endpoints.join("\n") !== endpoints.join("\n") || Object.keys(own.rewrites).length > 0) {
      edits.push({ at: ["mirrors", host], value: { endpoint: endpoints } });
    }
  }
  for (const [host, { caFile, insecure }] of Object.entries(change.tls)) {
    const own = configs[host]?.tls;
    const wanted = { caFile: caFile ?? "", insecure: insecure === true };
    if (own?.caFile === wanted.caFile && own.insecureSkipVerify === wanted.insecure) {
      continue;
    }
    const at = ["configs", host, "tls"];
    edits.push({ at: [...at, "ca_file"], value: caFile });
    edits.push({ at: [...at, "insecure_skip_verify"], value: wanted.insecure ? true : undefined });
  }
  for (const [host, { username, password }] of Object.entries(change.auth)) {
    const own = configs[host]?.auth;
    if (own?.username !== username || own.password !== password) {
      edits.push({ at: ["configs", host, "auth"], value: { username: quoted(username), password: quoted(password) } });
    }
  }
  return edits;
}

/** A text that no reader takes for a number or a date, and that is known as a secret wherever it is shown. */
function quoted(text: string): Scalar {
  const scalar = new Scalar(text);
  scalar.type = Scalar.QUOTE_DOUBLE;
  return scalar;
}

/** With maps in place of what is empty on the way. */
function setIn(doc: Document, at: string[], value: unknown): void {
  for (let length = 1; length < at.length; length++) {
    const above = at.slice(0, length);
    const found = doc.getIn(above, true);
    if (!isMap(found)) {
      doc.setIn(above, mapInPlaceOf(doc, found));
    }
  }
  doc.setIn(at, replaceNode(doc, doc.getIn(at, true), value));
}

function applied({ mirrors, configs }: Registries, change: RegistriesChange): Registries {
  const result: Registries = { mirrors: { ...mirrors }, configs: { ...configs } };
  for (const [host, endpoints] of Object.entries(change.mirrors)) {
    if (endpoints.length === 0) {
      delete result.mirrors[host];
    } else {
      result.mirrors[host] = { endpoints, rewrites: {} };
    }
  }
  for (const [host, { caFile = "", insecure = false }] of Object.entries(change.tls)) {
    const own = result.configs[host] ?? {};
    const { certFile = "", keyFile = "" } = own.tls ?? {};
    result.configs[host] = { ...own, tls: { caFile, certFile, keyFile, insecureSkipVerify: insecure } };
  }
  for (const [host, auth] of Object.entries(change.auth)) {
    result.configs[host] = { ...result.configs[host], auth };
  }
  return result;
}

function canonical({ mirrors, configs }: Registries): string {
  const sorted = <T>(map: Record<string, T>): [string, T][] => Object.entries(map).sort(([a], [b]) => (a < b ? -1 : 1));
  const config = ({ tls, auth }: Registries["configs"][string]): unknown[] => [
    tls === undefined ? null : [tls.caFile, tls.certFile, tls.keyFile, tls.insecureSkipVerify],
    auth === undefined ? null : [auth.username, auth.password],
  ];
  return JSON.stringify([
    sorted(mirrors).map(([host, { endpoints, rewrites }]) => [host, endpoints, sorted(rewrites)]),
    sorted(configs).map(([host, one]) => [host, ...config(one)]),
  ]);
}
