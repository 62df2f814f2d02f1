import { strictEqual } from "node:assert";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";

import type { LabRegistry } from "../../lab";

export interface Answer {
  status: number;
  headers: NodeJS.Dict<string | string[]>;
  body: Buffer;
}

/** Asks a registry of the lab directly, with nothing of the product in between. */
export function ask(
  registry: LabRegistry,
  method: string,
  path: string,
  headers: Record<string, string> = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const secure = registry.endpoint.startsWith("https:");
    const options = {
      method,
      headers,
      agent: false,
      ...(registry.caCertPath === undefined ? {} : { ca: readFileSync(registry.caCertPath) }),
      ...(registry.username === undefined ? {} : { auth: `${registry.username}:${registry.password ?? ""}` }),
    };
    const request = (secure ? httpsRequest : httpRequest)(`${registry.endpoint}${path}`, options, (response) => {
      const parts: Buffer[] = [];
      response.on("data", (part: Buffer) => parts.push(part));
      response.on("end", () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(parts) }),
      );
      response.on("error", reject);
    });
    request.on("error", reject);
    request.end();
  });
}

/** Headers of who takes any kind of manifest. */
export const acceptManifests = {
  accept:
    "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.v2+json, application/vnd.docker.distribution.manifest.list.v2+json",
};

/**
 * Reads an image back to its last byte and checks every digest. @returns the manifest's digest, or undefined when there
 * is none
 */
export async function readBack(
  registry: LabRegistry,
  repository: string,
  reference: string,
): Promise<string | undefined> {
  const answer = await ask(registry, "GET", `/v2/${repository}/manifests/${reference}`, acceptManifests);
  if (answer.status === 404) {
    return undefined;
  }
  strictEqual(answer.status, 200, `${repository}:${reference}: ${answer.status} ${answer.body.toString()}`);
  const manifest = JSON.parse(answer.body.toString()) as {
    config?: { digest: string };
    layers?: { digest: string }[];
    manifests?: { digest: string }[];
  };
  for (const blob of [...(manifest.config === undefined ? [] : [manifest.config]), ...(manifest.layers ?? [])]) {
    const content = await ask(registry, "GET", `/v2/${repository}/blobs/${blob.digest}`);
    strictEqual(content.status, 200, `${repository}@${blob.digest}`);
    strictEqual(`sha256:${createHash("sha256").update(content.body).digest("hex")}`, blob.digest);
  }
  for (const child of manifest.manifests ?? []) {
    strictEqual(await readBack(registry, repository, child.digest), child.digest);
  }
  return `sha256:${createHash("sha256").update(answer.body).digest("hex")}`;
}
