import type { ErrorCode } from "../../model/codes";
import type { OperationContext } from "../../model/context";
import { textWithCode } from "../../model/errors";
import type { RegistryConnection } from "../../registry/connection";
import { repositoryBelow } from "../../registry/endpoint";
import { Registry } from "../../registry/registry";
import { causesOfHost, RegistryError } from "../../registry/registryError";

/** What a mirror answers: a digest, that it has no such image, or why it could not be asked. */
export type MirrorAnswer = { digest: string } | { missing: true } | { error: string };

/** A place that does not answer at all, or refuses who asks, is not asked for each image anew. */
const ofThePlace: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  ...causesOfHost,
  "REGISTRY_UNREACHABLE",
  "REGISTRY_TIMEOUT",
  "REGISTRY_NEEDS_TLS",
  "REGISTRY_NOT_A_REGISTRY",
]);

interface Place {
  registry: Registry;
  /** The first question; the others wait for how it goes. */
  first?: Promise<MirrorAnswer>;
  /** Why none is asked any more. */
  silent?: MirrorAnswer;
}

/** Asks mirrors for images, with what the nodes ask them with; each image once, however many nodes have it. */
export class MirrorQuestions {
  private readonly places = new Map<string, Place>();
  private readonly answers = new Map<string, Promise<MirrorAnswer>>();

  constructor(private readonly context: OperationContext) {}

  /** One HEAD. @param reference A tag or a digest. */
  ask(connection: RegistryConnection, repository: string, reference: string): Promise<MirrorAnswer> {
    const place = JSON.stringify(connection);
    const key = `${place} ${repository} ${reference}`;
    let answer = this.answers.get(key);
    if (answer === undefined) {
      answer = this.inTurn(place, connection, repository, reference);
      this.answers.set(key, answer);
    }
    return answer;
  }

  async close(): Promise<void> {
    await Promise.all([...this.places.values()].map(({ registry }) => registry.close()));
  }

  private async inTurn(
    name: string,
    connection: RegistryConnection,
    repository: string,
    reference: string,
  ): Promise<MirrorAnswer> {
    let place = this.places.get(name);
    if (place === undefined) {
      // A connection may be declared wrongly; that throws here and is nobody's answer.
      const options = { access: "pull", retry: { attempts: 2 } } as const;
      place = { registry: new Registry(connection, this.context, options) };
      this.places.set(name, place);
      place.first = this.head(place, repository, reference);
      return place.first;
    }
    await place.first;
    return place.silent ?? this.head(place, repository, reference);
  }

  private async head(place: Place, repository: string, reference: string): Promise<MirrorAnswer> {
    const { registry } = place;
    try {
      const seen = await registry.headManifest(repositoryBelow(registry.endpoint, repository), reference);
      return seen === undefined ? { missing: true } : { digest: seen.digest };
    } catch (error) {
      if (!(error instanceof RegistryError)) {
        throw error;
      }
      const answer = { error: textWithCode(error) };
      if (ofThePlace.has(error.code)) {
        place.silent = answer;
      }
      return answer;
    }
  }
}
