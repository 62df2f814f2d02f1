import type { OperationContext } from "../../model/context";
import { silentLog } from "../../model/context";
import { MirrorError, textWithCode } from "../../model/errors";
import type { NodeConnection } from "../../node";
import { holdsUnknown, isUnknown } from "../../pulumi/plainValue";
import { Registry } from "../../registry/registry";
import { formerAfter } from "../../registry/sets/formerImages";
import { PushSetBook } from "./book";
import type { RegistryEntry } from "./comparison";
import { compareRegistries } from "./comparison";
import type { NodesSeen } from "./heldByNodes";
import type { NamedImage } from "./imageChanges";
import { nodesOf } from "./prune";
import type { PruneForecast } from "./pruneForecast";
import { foreseePrune } from "./pruneForecast";
import { imagesAfter } from "./review";
import type { PushSetRun } from "./run";
import type { PushSetInputs, PushSetOutputs } from "./state";

/** Of a diff, which is told no context. */
const context: OperationContext = { signal: new AbortController().signal, log: silentLog };

/** What an update would prune, in all registries of a push set. */
export class PruneReview {
  private seen: Promise<NodesSeen> | undefined;

  constructor(
    private readonly olds: PushSetOutputs,
    private readonly news: PushSetInputs,
    private readonly connections: readonly NodeConnection[] | undefined,
  ) {}

  /** While what is declared is as it was. */
  async ofSame(): Promise<PruneForecast> {
    return this.forecasts((entry) => Promise.resolve(entry.before?.images));
  }

  /** Of a change of what is declared; as far as that is known. */
  async ofChange(run: PushSetRun): Promise<PruneForecast> {
    return this.forecasts(async ({ before }) => {
      const { images = [], fingerprint = "" } = before ?? {};
      return imagesAfter({ ...this.olds, images, fingerprint }, this.news, run);
    });
  }

  private async forecasts(
    declared: (entry: RegistryEntry) => Promise<readonly NamedImage[] | undefined>,
  ): Promise<PruneForecast> {
    const all: PruneForecast = { goes: 0, lines: [], warnings: [] };
    if (this.news.prune === undefined || isUnknown(this.news.prune) || isUnknown(this.news.registry)) {
      return all;
    }
    const { entries } = compareRegistries(this.olds, this.news);
    for (const entry of entries.filter(({ before, connection }) => before !== undefined && !holdsUnknown(connection))) {
      const images = await declared(entry);
      const { goes, lines, warnings } = images === undefined ? all : await this.forecast(entry, images);
      all.goes += goes;
      all.lines.push(...(entries.length > 1 && lines.length > 0 ? [`${entry.connection.endpoint}:`] : []), ...lines);
      all.warnings.push(...warnings.filter((text) => !all.warnings.includes(text)));
    }
    return all;
  }

  private async forecast(
    { argument, connection, before }: RegistryEntry,
    images: readonly NamedImage[],
  ): Promise<PruneForecast> {
    const { images: had = [], former: past = [], fingerprint, record } = before ?? {};
    const former = formerAfter(past, had, images, { counts: Boolean(fingerprint) });
    const { prune } = this.news;
    if (former.length === 0 || prune === undefined) {
      return { goes: 0, lines: [], warnings: [] };
    }
    let registry: Registry | undefined;
    try {
      registry = new Registry(connection, context, { argument });
      const book = new PushSetBook(registry, this.news, record, context);
      const ask = (): Promise<NodesSeen> => (this.seen ??= nodesOf(prune, this.connections, context));
      return await foreseePrune({ registry, book, images, former }, prune, ask);
    } catch (error) {
      if (error instanceof MirrorError) {
        // What it is, the update will say too; here it keeps nobody from seeing the rest.
        const why = `what would be pruned of ${connection.endpoint} is not known: ${textWithCode(error)}`;
        return { goes: 0, lines: [], warnings: [why] };
      }
      throw error;
    } finally {
      await registry?.close();
    }
  }
}
