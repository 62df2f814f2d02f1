import { localPath } from "../../model/localPath";
import type { RegistryConnection } from "../connection";
import { runCredentialCommand } from "./credentialCommand";
import type { CredentialPlace } from "./dockerConfig";
import { readDockerConfig } from "./dockerConfig";
import type { RegistryCredentials } from "./registryCredentials";
import { asCredentials } from "./registryCredentials";

/** What a command printed is fetched anew after so long, before it is refused: the shortest tokens in use live 15 minutes. */
const commandAgeMs = 5 * 60_000;

/** What is refused at this age was never good: asking its source again would give the same. */
const youngestMs = 1_000;

/** Where the credentials of one registry come from, and whether they can be had anew. */
export class CredentialSource {
  private held: Promise<RegistryCredentials | undefined> | undefined;
  private loadedAt = 0;

  constructor(
    private readonly connection: RegistryConnection,
    private readonly place: CredentialPlace,
    private readonly signal: AbortSignal,
    /** What errors call the registry, where that is more than one argument. */
    private readonly argument?: string,
  ) {}

  /** ` in registry[1]`: where credentials are to be given. */
  get within(): string {
    return withinArgument(this.argument);
  }

  /** Whose credentials these are and what to do when they are refused, for a sentence. Nothing secret. */
  describe(credentials: RegistryCredentials): { who: string; wayOut: string } {
    const { credentialCommand, dockerConfigPath, username } = this.connection;
    const isUser = credentials.kind === "password";
    const who = (whence: string): string =>
      isUser ? `user "${credentials.username}" with ${whence}` : `the identity token of ${whence}`;
    if (credentialCommand !== undefined) {
      const beside = username === undefined || username === "" ? "" : "; check username too";
      return {
        who: who(`what ${this.argument ?? "registry"}.credentialCommand (${credentialCommand[0] ?? ""}) printed`),
        wayOut: `Run that command by hand: it may print what has expired, or what is for another registry or account${beside}.`,
      };
    }
    if (dockerConfigPath !== undefined) {
      return {
        who: who(`what dockerConfigPath "${dockerConfigPath}" has for it`),
        wayOut: `Log in again, or check the entry for ${this.place.authority} there.`,
      };
    }
    return {
      who: isUser ? who("the given password") : "the given identity token",
      wayOut: `Check username and password${this.within}.`,
    };
  }

  /**
   * Those in use; undefined where none were given.
   *
   * @throws RegistryError as their source fails
   */
  current(): Promise<RegistryCredentials | undefined> {
    const { held } = this;
    if (held === undefined) {
      return this.load();
    }
    if (this.connection.credentialCommand !== undefined && this.age > commandAgeMs) {
      // Nobody has refused the old one yet.
      return this.load(held);
    }
    return held;
  }

  /**
   * After a refusal: what a command, a Docker config or its helper gives now, once however many requests were refused.
   *
   * @returns undefined when there is nothing better
   */
  async renew(refused: RegistryCredentials): Promise<RegistryCredentials | undefined> {
    const { credentialCommand, dockerConfigPath } = this.connection;
    if (credentialCommand === undefined && dockerConfigPath === undefined) {
      return undefined;
    }
    const { held } = this;
    const now = await this.current();
    if (!isSame(now, refused)) {
      return now;
    }
    const isNew = this.held !== held;
    if (!isNew && this.age < youngestMs) {
      return undefined;
    }
    const renewed = await (isNew ? this.current() : this.load());
    return isSame(renewed, refused) ? undefined : renewed;
  }

  private get age(): number {
    return Date.now() - this.loadedAt;
  }

  private load(instead?: Promise<RegistryCredentials | undefined>): Promise<RegistryCredentials | undefined> {
    this.loadedAt = Date.now();
    const loading = this.ask();
    this.held = instead === undefined ? loading : loading.catch(() => instead);
    return this.held;
  }

  private async ask(): Promise<RegistryCredentials | undefined> {
    const { username, password, dockerConfigPath, credentialCommand } = this.connection;
    if (credentialCommand !== undefined) {
      return runCredentialCommand(credentialCommand, username, this.signal, { argument: this.argument });
    }
    if (dockerConfigPath !== undefined) {
      const where = `dockerConfigPath "${dockerConfigPath}"`;
      return readDockerConfig(localPath(dockerConfigPath), this.place, this.signal, where);
    }
    return username === undefined || username === "" ? undefined : asCredentials(username, password ?? "");
  }
}

/** For a sentence: nothing where there is but one. */
export function withinArgument(argument: string | undefined): string {
  return argument === undefined || argument === "registry" ? "" : ` in ${argument}`;
}

function isSame(one: RegistryCredentials | undefined, other: RegistryCredentials): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
