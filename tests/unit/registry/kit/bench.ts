import type { OperationContext } from "../../../../provider/model/context";
import { silentLog } from "../../../../provider/model/context";
import type { RegistryConnection } from "../../../../provider/registry/connection";
import type { RegistryOptions } from "../../../../provider/registry/http/sender";
import { Registry } from "../../../../provider/registry/registry";
import { FakeRegistry } from "./fakeRegistry";

/** Waits between tries that keep a test quick. Who wants silence found out sets a shorter limit of his own. */
const quick: RegistryOptions = {
  retry: { attempts: 4, firstDelayMs: 5, maxDelayMs: 20, maxRetryAfterMs: 2_000 },
  connectTimeoutMs: 20_000,
  answerTimeoutMs: 20_000,
  commitTimeoutMs: 20_000,
};

/** Everything that one test opens, closed at its end. */
export class Bench {
  readonly controller = new AbortController();
  readonly progress: string[] = [];
  readonly warnings: string[] = [];
  readonly debug: string[] = [];
  private readonly closing: (() => Promise<void>)[] = [];

  readonly context: OperationContext = {
    signal: this.controller.signal,
    log: {
      ...silentLog,
      progress: (text) => this.progress.push(text),
      warn: (text) => this.warnings.push(text),
      debug: (text) => this.debug.push(text),
    },
  };

  async server(tls?: { cert: string; key: string }): Promise<FakeRegistry> {
    const server = await new FakeRegistry(tls).start();
    this.closing.push(() => server.stop());
    return server;
  }

  registry(connection: RegistryConnection | FakeRegistry, options: RegistryOptions = {}): Registry {
    const given = connection instanceof FakeRegistry ? { endpoint: connection.url } : connection;
    const registry = new Registry(given, this.context, { ...quick, ...options });
    this.closing.unshift(() => registry.close());
    return registry;
  }

  onEnd(close: () => Promise<void>): void {
    this.closing.unshift(close);
  }

  async end(): Promise<void> {
    for (const close of this.closing.splice(0)) {
      await close();
    }
  }
}
