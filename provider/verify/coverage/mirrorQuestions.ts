import type { OperationContext } from "../../model/context";
import { textWithCode } from "../../model/errors";
import type { RegistryConnection } from "../../registry/connection";
import { repositoryBelow } from "../../registry/endpoint";
import { Registry } from "../../registry/registry";
import { RegistryError } from "../../registry/registryError";

/** What a mirror answers: a digest, that it has no such image, or why it could not be asked. */
export type MirrorAnswer = { digest: string } | { missing: true } | { error: string };

/** Asks mirrors for images, with what the nodes ask them with; each image once, however many nodes have it. */
export class MirrorQuestions {
  private readonly registries = new Map<string, Registry>();
  private readonly answers = new Map<string, Promise<MirrorAnswer>>();

  constructor(private readonly context: OperationContext) {}

  /** One HEAD. @param reference A tag or a digest. */
  ask(connection: RegistryConnection, repository: string, reference: string): Promise<MirrorAnswer> {
    const place = JSON.stringify(connection);
    const key = `${place} ${repository} ${reference}`;
    let answer = this.answers.get(key);
    if (answer === undefined) {
      answer = this.head(place, connection, repository, reference);
      this.answers.set(key, answer);
    }
    return answer;
  }

  async close(): Promise<void> {
    await Promise.all([...this.registries.values()].map((registry) => registry.close()));
  }

  private async head(
    place: string,
    connection: RegistryConnection,
    repository: string,
    reference: string,
  ): Promise<MirrorAnswer> {
    try {
      let registry = this.registries.get(place);
      if (registry === undefined) {
        registry = new Registry(connection, this.context, { access: "pull", retry: { attempts: 2 } });
        this.registries.set(place, registry);
      }
      const seen = await registry.headManifest(repositoryBelow(registry.endpoint, repository), reference);
      return seen === undefined ? { missing: true } : { digest: seen.digest };
    } catch (error) {
      if (!(error instanceof RegistryError)) {
        throw error;
      }
      return { error: textWithCode(error) };
    }
  }
}
