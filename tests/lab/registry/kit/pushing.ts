import { strictEqual } from "node:assert";

import { openPackage } from "../../../../provider/archive/openPackage";
import { silentLog } from "../../../../provider/model/context";
import type { RegistryConnection } from "../../../../provider/registry/connection";
import type { RegistryOptions } from "../../../../provider/registry/http/sender";
import type { PushResult } from "../../../../provider/registry/push/pushResult";
import { Registry } from "../../../../provider/registry/registry";
import type { ImageList, ResolvedImage } from "../../../../provider/registry/source/imageList";
import { RegistryImages } from "../../../../provider/registry/source/registryImages";
import { pushPackage } from "../../../unit/registry/kit/pushPackage";
import type { LabRegistry } from "../../lab";
import type { Layout } from "./layout";
import { readBack } from "./readBack";

/**
 * Short waits between tries: a lab has no traffic jams. An answer may take as long as a busy machine needs: what was
 * given up too soon would be asked for again. Who wants silence found out sets a shorter limit.
 */
export const limits: RegistryOptions = {
  retry: { attempts: 7, firstDelayMs: 20, maxDelayMs: 100, maxRetryAfterMs: 3_000 },
  connectTimeoutMs: 30_000,
  answerTimeoutMs: 30_000,
  commitTimeoutMs: 30_000,
  chunkBytes: 256 * 1024,
};
/** Everything above 64 KiB flows, so that a small package behaves like a large one. */
export const memory = { blobBytes: 64 * 1024, totalBytes: 256 * 1024 };

/** Opens a package, pushes it, closes everything. */
export async function pushTo(
  connection: RegistryConnection,
  source: string,
  options: {
    cacheDir?: string | false;
    spoolDir?: string;
    limits?: RegistryOptions;
    progress?: (line: string) => void;
    warn?: (text: string) => void;
    signal?: AbortSignal;
  } = {},
): Promise<PushResult> {
  const context = {
    signal: options.signal ?? new AbortController().signal,
    log: {
      ...silentLog,
      ...(options.progress === undefined ? {} : { progress: options.progress }),
      ...(options.warn === undefined ? {} : { warn: options.warn }),
    },
  };
  const registry = new Registry(connection, context, { ...limits, ...options.limits });
  try {
    await registry.ping();
    const pkg = await openPackage(source, {
      cacheDir: options.cacheDir ?? false,
      ...(options.spoolDir === undefined ? {} : { spoolDir: options.spoolDir }),
    });
    try {
      return await pushPackage(pkg, registry, { context, memory });
    } finally {
      await pkg.close();
    }
  } finally {
    await registry.close();
  }
}

/** Copies images of other registries, closes everything. */
export async function copyTo(
  connection: RegistryConnection,
  list: ImageList,
  options: { resolved?: ResolvedImage[]; limits?: RegistryOptions; progress?: (line: string) => void } = {},
): Promise<PushResult> {
  const { progress } = options;
  const context = {
    signal: new AbortController().signal,
    log: { ...silentLog, ...(progress === undefined ? {} : { progress }) },
  };
  const registry = new Registry(connection, context, { ...limits, ...options.limits });
  try {
    const images = await RegistryImages.open(list, context, { limits, ...options });
    try {
      return await pushPackage(images, registry, { context, memory });
    } finally {
      await images.close();
    }
  } finally {
    await registry.close();
  }
}

/** Every image of the layout, or those given, is in the registry to its last byte. */
export async function mustHave(
  registry: LabRegistry,
  namespace: string,
  layout: Layout,
  names: Iterable<string> = layout.images.keys(),
): Promise<void> {
  for (const name of names) {
    const [, path, tag] = /^[^/]+\/(.+):([^:]+)$/.exec(name) as unknown as [string, string, string];
    strictEqual(await readBack(registry, `${namespace}/${path}`, tag), layout.images.get(name), name);
  }
}
