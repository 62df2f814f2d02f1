/**
 * A token server for registries that ask for a Bearer token: checks basic credentials exactly (a service account's
 * key as `_json_key`'s password included) and signs what was asked for. Runs as a process of its own.
 */
import { createPrivateKey, randomUUID, sign, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:https";

export interface TokenServerConfig {
  readonly address: string;
  readonly port: number;
  readonly certPath: string;
  readonly keyPath: string;
  /** Signs the tokens; the registry has its certificate as root. */
  readonly signingCertPath: string;
  readonly signingKeyPath: string;
  readonly issuer: string;
  readonly service: string;
  readonly users: Readonly<Record<string, string>>;
  /** Whether a token without credentials may read. */
  readonly anonymousPull: boolean;
  /** How long a token holds, in seconds. */
  readonly lifetime: number;
}

interface Access {
  readonly type: string;
  readonly name: string;
  readonly actions: readonly string[];
}

/** "repository:team/app:pull,push", where the name may itself have colons (a port). */
function parseScope(scope: string): Access | undefined {
  const match = /^([^:]+):(.+):([^:]*)$/.exec(scope);
  return match
    ? {
        type: match[1] ?? "",
        name: match[2] ?? "",
        actions: (match[3] ?? "").split(",").filter((action) => action !== ""),
      }
    : undefined;
}

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");

function createToken(config: TokenServerConfig, subject: string, access: readonly Access[]): string {
  const certificate = new X509Certificate(readFileSync(config.signingCertPath));
  const now = Math.floor(Date.now() / 1000);
  const body = `${encode({ typ: "JWT", alg: "ES256", x5c: [certificate.raw.toString("base64")] })}.${encode({
    iss: config.issuer,
    sub: subject,
    aud: config.service,
    exp: now + config.lifetime,
    nbf: now - 10,
    iat: now,
    jti: randomUUID(),
    access,
  })}`;
  const signature = sign("sha256", Buffer.from(body), {
    key: createPrivateKey(readFileSync(config.signingKeyPath)),
    dsaEncoding: "ieee-p1363",
  });
  return `${body}.${signature.toString("base64url")}`;
}

function serveTokens(config: TokenServerConfig): void {
  const server = createServer(
    { cert: readFileSync(config.certPath), key: readFileSync(config.keyPath) },
    (request, response) => {
      const url = new URL(request.url ?? "/", "https://token");
      const answer = (status: number, body: unknown): void => {
        const form = request.headers["authorization"]?.split(" ")[0] ?? "no credentials";
        console.log(
          `${new Date().toISOString()} ${request.method} ${url.pathname}${url.search} ${form} ${status} "${request.headers["user-agent"] ?? ""}"`,
        );
        response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
      };
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        // OAuth 2's form (POST) is not spoken here; clients fall back to GET when told so.
        if (request.method !== "GET") return answer(404, { error: "only GET" });
        const basic = /^Basic (.+)$/i.exec(request.headers["authorization"] ?? "")?.[1];
        let subject = "";
        if (basic !== undefined) {
          const [, user = "", password = ""] =
            /^([^:]*):([\s\S]*)$/.exec(Buffer.from(basic, "base64").toString()) ?? [];
          if (config.users[user] === undefined || config.users[user] !== password)
            return answer(401, { error: "wrong user or password" });
          subject = user;
        } else if (!config.anonymousPull) return answer(401, { error: "credentials are needed" });
        const access = url.searchParams
          .getAll("scope")
          .flatMap((scopes) => scopes.split(" "))
          .map(parseScope)
          .filter((scope) => scope !== undefined)
          .map((scope) => ({
            ...scope,
            actions: subject === "" ? scope.actions.filter((action) => action === "pull") : scope.actions,
          }));
        const token = createToken(config, subject, access);
        return answer(200, {
          token,
          access_token: token,
          expires_in: config.lifetime,
          issued_at: new Date().toISOString(),
        });
      });
    },
  );
  server.listen(config.port, config.address);
}

if (require.main === module) {
  serveTokens(JSON.parse(readFileSync(process.argv[2] ?? "", "utf8")) as TokenServerConfig);
}
