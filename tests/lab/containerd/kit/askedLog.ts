import type { HttpFault, HttpFaultProxy, HttpRequestRecord } from "../../fault";

/** One request to one of the registries. */
export interface Asked {
  by: string;
  request: HttpRequestRecord;
}

/** Which registry was asked, in which order, over all registries of a test. */
export class AskedLog {
  private entries: Asked[] = [];

  constructor(private readonly fronts: Readonly<Record<string, HttpFaultProxy>>) {}

  /** Starts anew; what goes wrong, by registry. Paths are matched with the query. */
  start(faults: Readonly<Record<string, { path?: RegExp; fault: HttpFault } | undefined>> = {}): void {
    this.entries = [];
    for (const [by, front] of Object.entries(this.fronts)) {
      const onStrike = (request: HttpRequestRecord): void => {
        this.entries.push({ by, request });
      };
      const wrong = faults[by];
      front.script(
        ...(wrong === undefined
          ? []
          : [{ ...(wrong.path === undefined ? {} : { path: wrong.path }), fault: { ...wrong.fault, onStrike } }]),
        { fault: { onStrike } },
      );
    }
  }

  get all(): readonly Asked[] {
    return this.entries;
  }

  /** Registries in the order in which each was first asked for a manifest. */
  get order(): string[] {
    return [...new Set(this.entries.filter((one) => one.request.path.includes("/manifests/")).map((one) => one.by))];
  }

  /** Registries that gave blobs. */
  get blobsFrom(): string[] {
    return [
      ...new Set(
        this.entries
          .filter(
            (one) => one.request.path.includes("/blobs/") && one.request.method === "GET" && one.request.status < 400,
          )
          .map((one) => one.by),
      ),
    ];
  }

  /** Registries that were asked for anything at all. */
  get asked(): string[] {
    return [...new Set(this.entries.map((one) => one.by))].sort();
  }

  /** Authorization headers that a registry was sent, decoded where they are basic. */
  sentTo(by: string): string[] {
    const headers = this.entries.filter((one) => one.by === by).map((one) => one.request.headers.authorization ?? "");
    return [
      ...new Set(
        headers
          .filter((one) => one !== "")
          .map((one) => (one.startsWith("Basic ") ? Buffer.from(one.slice(6), "base64").toString() : one)),
      ),
    ];
  }
}
