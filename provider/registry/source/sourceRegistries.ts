import type { OperationContext } from "../../model/context";
import { repositoryBelow } from "../endpoint";
import type { RegistryOptions } from "../http/sender";
import { Registry } from "../registry";
import type { SourceConnection } from "./imageList";

/** Where Docker Hub answers to the registry API. */
const addresses: Readonly<Record<string, string>> = { "docker.io": "registry-1.docker.io" };

/** The registries that a list of images names, each opened when it is first asked. */
export class SourceRegistries {
  private readonly opened = new Map<string, Registry>();

  /** @param argument What errors call the list: `source`, or `source[1]`. */
  constructor(
    private readonly connections: Readonly<Record<string, SourceConnection>>,
    private readonly argument: string,
    private readonly context: OperationContext,
    private readonly limits: RegistryOptions,
  ) {}

  /** @throws RegistryError for a connection that cannot be right */
  of(host: string): Registry {
    let registry = this.opened.get(host);
    if (registry === undefined) {
      const connection = { endpoint: addresses[host] ?? host, ...this.connections[host] };
      registry = new Registry(connection, this.context, {
        ...this.limits,
        access: "pull",
        oneVerdict: true,
        argument: this.argumentOf(host),
      });
      this.opened.set(host, registry);
    }
    return registry;
  }

  /** Which argument says how a host is reached. */
  argumentOf(host: string): string {
    return `${this.argument}.registries["${host}"]`;
  }

  async close(): Promise<void> {
    await Promise.all([...this.opened.values()].map((registry) => registry.close()));
  }
}

/** One repository, where images are read. */
export interface SourceRepository {
  registry: Registry;
  /** Of the registry's API. */
  path: string;
}

/** Of a public host. */
export function sourceRepository(registries: SourceRegistries, host: string, name: string): SourceRepository {
  const registry = registries.of(host);
  return { registry, path: repositoryBelow(registry.endpoint, name) };
}

/** `HOST:PORT/REPOSITORY` */
export function nameOfPlace({ registry, path }: SourceRepository): string {
  return `${registry.endpoint.authority}/${path}`;
}
