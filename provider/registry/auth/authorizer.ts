import type { RegistryEndpoint } from "../endpoint";
import { baseUrl } from "../endpoint";
import { parseErrorBody, redactUrl, responseError } from "../http/answer";
import type { HttpResponse } from "../http/httpExchange";
import { RegistryError } from "../registryError";
import type { Challenge } from "./challenge";
import { parseChallenges } from "./challenge";
import type { CredentialSource } from "./credentialSource";
import type { RegistryCredentials } from "./registryCredentials";

/** A right on one repository, in the token specification's words. */
export interface Scope {
  repository: string;
  actions: "pull" | "pull,push" | "delete" | "pull,push,delete";
}

/** Sends one request of the token flow: with retries, but without authentication of its own. */
export type PlainSender = (
  method: string,
  url: URL,
  headers: Record<string, string>,
  body?: Buffer,
) => Promise<HttpResponse>;

interface Token {
  value: string;
  lifetimeMs: number;
  expiresAt: number;
}

interface HeldToken {
  fetching: Promise<Token>;
  /** Set once fetched. */
  token?: Token;
}

/** distribution's token specification: expires_in is 60 seconds where the server does not say. */
const defaultLifetimeSeconds = 60;
const clientId = "pulumi-registry-mirror";

/**
 * Finds out how a registry wants to be asked, and keeps the tokens. Basic and anonymous are learnt once for the whole
 * registry; bearer tokens are kept per set of scopes, and fetched once however many requests wait for the same.
 */
export class Authorizer {
  private way: "unknown" | "none" | "basic" | "bearer" = "unknown";
  private challenge: Challenge | undefined;
  private readonly tokens = new Map<string, HeldToken>();

  constructor(
    private readonly endpoint: RegistryEndpoint,
    private readonly credentials: CredentialSource,
    private readonly send: PlainSender,
  ) {}

  get scheme(): "unknown" | "none" | "basic" | "bearer" {
    return this.way;
  }

  getCredentials(): Promise<RegistryCredentials | undefined> {
    return this.credentials.current();
  }

  /** Says that an unauthenticated request was accepted. A later challenge still counts. */
  acceptAnonymous(): void {
    if (this.way === "unknown") {
      this.way = "none";
    }
  }

  /**
   * The Authorization header as far as known beforehand.
   *
   * @param commit The request ends a long upload: a token in the second half of its life is exchanged first.
   */
  async authorizationHeader(scopes: Scope[], commit = false): Promise<string | undefined> {
    if (this.way === "basic") {
      return this.basic();
    }
    if (this.way === "bearer") {
      return `Bearer ${(await this.token(scopeTexts(scopes), commit)).value}`;
    }
    return undefined;
  }

  /**
   * Takes in a 401 and says with which header to try once more; undefined when nothing better is to be had.
   *
   * @param used The Authorization header that was refused.
   * @throws RegistryError `REGISTRY_CREDENTIALS_MISSING`, `REGISTRY_UNAUTHORIZED`
   */
  async answerChallenge(
    response: Pick<HttpResponse, "headers">,
    scopes: Scope[],
    used: string | undefined,
  ): Promise<string | undefined> {
    const challenges = parseChallenges(response.headers["www-authenticate"] ?? "");
    const bearer = challenges.find((c) => c.scheme === "bearer" && c.parameters["realm"] !== undefined);
    const basic = challenges.find((c) => c.scheme === "basic");
    const credentials = await this.getCredentials();
    if (bearer !== undefined && !(basic !== undefined && credentials?.kind === "password" && isNoRealm(bearer))) {
      this.way = "bearer";
      this.challenge = bearer;
      const wanted = mergeScopes(scopeTexts(scopes), bearer.parameters["scope"]);
      for (const key of new Set([scopeTexts(scopes).join(" "), wanted.join(" ")])) {
        this.forget(key, used);
      }
      const header = `Bearer ${(await this.token(wanted, false, scopeTexts(scopes).join(" "))).value}`;
      return header === used ? undefined : header;
    }
    if (basic !== undefined || challenges.length === 0) {
      if (credentials === undefined) {
        throw this.missing();
      }
      if (basic === undefined) {
        return undefined;
      }
      this.way = "basic";
      const header = basicHeader(credentials);
      if (header !== used) {
        return header;
      }
      const renewed = await this.credentials.renew(credentials);
      return renewed === undefined ? undefined : basicHeader(renewed);
    }
    throw new RegistryError(
      "REGISTRY_UNAUTHORIZED",
      `${this.endpoint.authority} asks for a way of authentication that is not supported: ${challenges.map((c) => c.scheme).join(", ")}; supported are basic and bearer.`,
      { status: 401 },
    );
  }

  /** The error of credentials that are not accepted. */
  refused(
    credentials: RegistryCredentials,
    said: string,
    { by = "the registry", status = 401 }: { by?: string; status?: number } = {},
  ): RegistryError {
    const { who, wayOut } = this.credentials.describe(credentials);
    const text = (detail: string): string =>
      `${this.endpoint.authority}: ${by} did not accept ${who}${detail}. ${wayOut}`;
    return new RegistryError("REGISTRY_UNAUTHORIZED", text(said === "" ? "" : ` (${said})`), {
      status,
      ofHost: text(""),
    });
  }

  /** P5: none given and the registry asks. */
  private missing(): RegistryError {
    const { authority } = this.endpoint;
    return new RegistryError(
      "REGISTRY_CREDENTIALS_MISSING",
      `${authority} asks for credentials and none were given. Give username and password${this.credentials.within}, or dockerConfigPath with a Docker config.json that has an entry for ${authority}.`,
      { status: 401 },
    );
  }

  private async basic(): Promise<string | undefined> {
    const credentials = await this.getCredentials();
    return credentials === undefined ? undefined : basicHeader(credentials);
  }

  /** Only the refused token goes: another request may have fetched, or be fetching, a new one in the meantime. */
  private forget(key: string, used: string | undefined): void {
    const token = this.tokens.get(key)?.token;
    if (token !== undefined && `Bearer ${token.value}` === used) {
      this.tokens.delete(key);
    }
  }

  private token(scopes: string[], commit: boolean, alias?: string): Promise<Token> {
    const key = scopes.join(" ");
    const held = this.tokens.get(key);
    if (held !== undefined) {
      const margin =
        held.token === undefined ? 0 : commit ? held.token.lifetimeMs / 2 : Math.min(10_000, held.token.lifetimeMs / 4);
      if (held.token === undefined || held.token.expiresAt - Date.now() > margin) {
        return held.fetching;
      }
    }
    const fresh: HeldToken = { fetching: this.fetchToken(scopes) };
    // The registry may name more than we had asked for: the next request with our own scopes begins with this token.
    const keys = alias === undefined ? [key] : [key, alias];
    for (const k of keys) {
      this.tokens.set(k, fresh);
    }
    fresh.fetching.then(
      (token) => (fresh.token = token),
      () => {
        for (const k of keys) {
          if (this.tokens.get(k) === fresh) {
            this.tokens.delete(k);
          }
        }
      },
    );
    return fresh.fetching;
  }

  private async fetchToken(scopes: string[]): Promise<Token> {
    const parameters = (this.challenge as Challenge).parameters;
    const realm = realmUrl(parameters["realm"] as string, this.endpoint);
    const server = { realm, service: parameters["service"] };
    let credentials = await this.getCredentials();
    const askedAt = Date.now();
    let response = await this.askTokenServer(server, scopes, credentials);
    if (credentials !== undefined && (response.status === 401 || response.status === 403)) {
      const renewed = await this.credentials.renew(credentials);
      if (renewed !== undefined) {
        credentials = renewed;
        response = await this.askTokenServer(server, scopes, credentials);
      }
    }
    if (response.status === 401 || response.status === 403) {
      throw credentials === undefined
        ? this.missing()
        : this.refused(credentials, parseErrorBody(response).message, {
            by: `its token server ${redactUrl(realm)}`,
            status: response.status,
          });
    }
    if (response.status !== 200) {
      throw responseError(
        credentials?.kind === "identityToken" ? "POST" : "GET",
        realm,
        response,
        "This is the token server that the registry names.",
      );
    }
    let answer: { token?: unknown; access_token?: unknown; expires_in?: unknown };
    try {
      answer = JSON.parse(response.body.toString("utf8")) as typeof answer;
    } catch {
      answer = {};
    }
    const value = answer.token || answer.access_token;
    if (typeof value !== "string") {
      throw new RegistryError(
        "REGISTRY_TOKEN_INVALID",
        `the token server ${redactUrl(realm)} of ${this.endpoint.authority} answered without a token. Check its configuration.`,
      );
    }
    const seconds =
      typeof answer.expires_in === "number" && answer.expires_in > 0 ? answer.expires_in : defaultLifetimeSeconds;
    return { value, lifetimeMs: seconds * 1000, expiresAt: askedAt + seconds * 1000 };
  }

  private async askTokenServer(
    { realm, service }: { realm: URL; service: string | undefined },
    scopes: string[],
    credentials: RegistryCredentials | undefined,
  ): Promise<HttpResponse> {
    let response: HttpResponse | undefined;
    if (credentials?.kind === "identityToken") {
      const form = new URLSearchParams({
        grant_type: "refresh_token",
        refresh_token: credentials.token,
        client_id: clientId,
      });
      if (service !== undefined) {
        form.set("service", service);
      }
      if (scopes.length > 0) {
        form.set("scope", scopes.join(" "));
      }
      response = await this.send(
        "POST",
        realm,
        { "content-type": "application/x-www-form-urlencoded" },
        Buffer.from(form.toString()),
      );
    }
    if (response === undefined || response.status === 404 || response.status === 405) {
      const url = new URL(realm);
      if (service !== undefined) {
        url.searchParams.set("service", service);
      }
      for (const scope of scopes) {
        url.searchParams.append("scope", scope);
      }
      if (credentials?.kind === "password") {
        url.searchParams.set("account", credentials.username);
      }
      response = await this.send(
        "GET",
        url,
        credentials === undefined ? {} : { authorization: basicHeader(credentials) },
      );
    }
    return response;
  }
}

function basicHeader(credentials: RegistryCredentials): string {
  const pair =
    credentials.kind === "password"
      ? `${credentials.username}:${credentials.password}`
      : `<token>:${credentials.token}`;
  return `Basic ${Buffer.from(pair).toString("base64")}`;
}

function scopeTexts(scopes: Scope[]): string[] {
  return [...new Set(scopes.map((scope) => `repository:${scope.repository}:${scope.actions}`))].sort();
}

function mergeScopes(ours: string[], theirs: string | undefined): string[] {
  return [...new Set([...ours, ...(theirs ?? "").split(" ").filter((s) => s !== "")])].sort();
}

function isNoRealm(challenge: Challenge): boolean {
  return /^null:/i.test(challenge.parameters["realm"] ?? "");
}

/**
 * The token server's address. It may be any host (a private one, too), but a registry that is spoken to by TLS never
 * leads to a server without it: the password would travel in the clear. Nexus behind a proxy may say null://host: then
 * it is its own server.
 */
function realmUrl(realm: string, endpoint: RegistryEndpoint): URL {
  const base = `${baseUrl(endpoint)}/`;
  let url: URL;
  try {
    url = new URL(realm, base);
    if (url.protocol === "null:") {
      url = new URL(`${url.pathname}${url.search}`, base);
    }
  } catch (cause) {
    throw new RegistryError(
      "REGISTRY_TOKEN_INVALID",
      `${endpoint.authority} names "${realm}" as its token server, which is not an address. Check the registry's configuration.`,
      { cause },
    );
  }
  return withoutDowngrade(url, endpoint, "token server");
}

/**
 * A registry behind a proxy that ends TLS may not know that it is reached by https and give http:// addresses of
 * itself: those are asked by https all the same. Any other step from https to http is refused.
 *
 * @throws RegistryError `REGISTRY_DOWNGRADE`
 */
export function withoutDowngrade(url: URL, endpoint: RegistryEndpoint, what: string): URL {
  if (url.protocol !== "https:" && url.protocol !== "http:") {
    throw new RegistryError(
      "REGISTRY_DOWNGRADE",
      `${endpoint.authority} leads to "${url.protocol}//${url.host}" (${what}), which is neither https nor http. Check the registry's configuration.`,
    );
  }
  if (endpoint.scheme === "https" && url.protocol === "http:") {
    if (url.hostname === endpoint.host && (url.port === "" || Number(url.port) === endpoint.port)) {
      return new URL(`${baseUrl(endpoint)}${url.pathname}${url.search}`);
    }
    throw new RegistryError(
      "REGISTRY_DOWNGRADE",
      `${endpoint.authority} is reached by https but leads to ${url.origin} without TLS (${what}); nothing was sent there. Correct the external address in the registry's configuration.`,
    );
  }
  return url;
}
