import { withinArgument } from "../auth/credentialSource";
import type { RegistryCredentials } from "../auth/registryCredentials";
import type { RegistryEndpoint } from "../endpoint";
import { RegistryError } from "../registryError";
import { parseErrorBody, redactUrl } from "./answer";
import type { HttpResponse } from "./httpExchange";

/** What is asked of the registries that want it, by name: none of their answers says it. */
const makeIt =
  "Make it first (Quay: a repository of the organisation; Harbor: its project; ECR, Artifact Registry: a repository)";

/** Where the right to delete is given. */
const mayDelete =
  "Give that right (Harbor: a robot's permission to delete artifacts, and no immutable tag; Nexus: the repository's " +
  'privilege "delete"; Quay: write; zot: "delete" among the actions of accessControl)';

/** Who asked is known to a registry, and may not. */
export function deniedWayOut(
  { authority }: RegistryEndpoint,
  credentials: RegistryCredentials | undefined,
  access: "pull" | "pull,push" | "delete",
  argument?: string,
): string {
  if (credentials === undefined) {
    const give = `give username and password${withinArgument(argument)}, or dockerConfigPath`;
    return access === "pull"
      ? `There is none of this name, or it is not for everybody: check the name, or ${give}.`
      : `Credentials with the right to this repository are needed; ${give}.`;
  }
  const who = credentials.kind === "password" ? `User "${credentials.username}"` : "The given identity token";
  if (access === "delete") {
    return `${who} may not delete in this repository on ${authority}. ${mayDelete}.`;
  }
  return access === "pull"
    ? `${who} may not read this repository on ${authority}, or there is none of this name.`
    : `${who} may not push to this repository on ${authority}, or there is none of this name and none is made by a push. ${makeIt}, or give the right to push and to create.`;
}

/**
 * A 401 to a request that bears a token which the token server gave for these credentials: they are right, and do not
 * reach so far. So Quay and Harbor answer where the repository, or its project, is yet to be made.
 */
export function insufficientScope(
  method: string,
  url: URL,
  response: HttpResponse,
  ...[endpoint, credentials, access]: Parameters<typeof deniedWayOut>
): RegistryError {
  const { code, message } = parseErrorBody(response);
  const said = message === "" ? "" : ` (${message})`;
  const wayOut = deniedWayOut(endpoint, credentials, access);
  return new RegistryError(
    "REGISTRY_DENIED",
    `${method} ${redactUrl(url)}: ${response.status}, although the token server accepted the credentials${said}. ${wayOut}`,
    { status: response.status, ...(code === undefined ? {} : { registryCode: code }) },
  );
}

/** A registry that makes no repository by itself says so when an upload is to begin: ECR, Artifact Registry. */
export function missingRepository(
  { authority }: RegistryEndpoint,
  repository: string,
  response: HttpResponse,
): RegistryError {
  const { code, message } = parseErrorBody(response);
  const said = message === "" ? "" : ` (${message})`;
  return new RegistryError(
    "REGISTRY_REPOSITORY_MISSING",
    `${authority} has no repository "${repository}", and a push makes none${said}. Make it first, or have the registry make it on push (ECR: a repository creation template).`,
    { status: response.status, ...(code === undefined ? {} : { registryCode: code }) },
  );
}
