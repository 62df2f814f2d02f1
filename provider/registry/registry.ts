import { Readable } from "node:stream";

import type { OperationContext } from "../model/context";
import type { Descriptor } from "../model/descriptor";
import type { Digest } from "../model/digest";
import { isDigest, sha256 } from "../model/digest";
import { manifestMediaTypes, mediaTypes } from "../model/mediaType";
import type { RegistryConnection } from "./connection";
import type { RegistryEndpoint } from "./endpoint";
import { parseErrorBody } from "./http/answer";
import type { HttpResponse } from "./http/httpExchange";
import type { RegistryOptions, SendResponse } from "./http/sender";
import { Sender } from "./http/sender";
import { saysWantsTls } from "./http/tlsServerText";
import { BlobDownload } from "./pull/blobDownload";
import { referrersIn, referrersTag } from "./pull/referrers";
import type { EndpointSeen } from "./push/pushResult";
import { RegistryError } from "./registryError";
import { BegunUploads } from "./upload/begunUploads";
import type { BlobSource, UploadOptions } from "./upload/blobUpload";
import { BlobUpload } from "./upload/blobUpload";
import { cancelUpload } from "./upload/uploadCancel";
import { uploadLocation } from "./upload/uploadLocation";

export interface ManifestSeen {
  digest: Digest;
  mediaType: string;
}

export interface ManifestRead extends ManifestSeen {
  bytes: Buffer;
}

export interface ManifestToPut {
  mediaType: string;
  bytes: Buffer;
  digest: Digest;
  /** Its layers that have URLs of their own. */
  elsewhere?: readonly Descriptor[];
}

/**
 * One registry by the distribution specification v1.1.1. Repositories are full API paths, namespace included
 * (endpoint.ts, repositoryBelow). Every call repeats itself after what may pass (429, 5xx, broken connections), and
 * rejects with the context's reason when that is aborted.
 */
export class Registry {
  readonly endpoint: RegistryEndpoint;
  private readonly sender: Sender;
  /** Once one upload was too large for what stands in front of the registry, the later ones begin in chunks. */
  private readonly learnt = { chunks: undefined as number | undefined };

  /**
   * @throws RegistryError for arguments that cannot be right (`ENDPOINT_INVALID`, `CA_...`, `CREDENTIALS_...`); nothing
   * is sent yet.
   */
  constructor(
    private readonly connection: RegistryConnection,
    readonly context: OperationContext,
    options: RegistryOptions = {},
  ) {
    this.sender = new Sender(connection, context, options);
    this.endpoint = this.sender.endpoint;
  }

  /**
   * Looks whether a registry answers, by which authentication, and whether the given credentials hold. Quick to fail: a
   * wrong address is seen after one repetition.
   *
   * @param needsCredentials False: that a registry asks for credentials where none were given is an answer, and no
   * error.
   * @throws RegistryError `REGISTRY_CREDENTIALS_MISSING`, `REGISTRY_UNAUTHORIZED`, `REGISTRY_NOT_A_REGISTRY`,
   * `REGISTRY_NEEDS_TLS`, and those of the connection (`REGISTRY_UNREACHABLE`, `REGISTRY_CERTIFICATE_UNKNOWN` ...)
   */
  async ping({ needsCredentials = true } = {}): Promise<EndpointSeen> {
    const { authority } = this.endpoint;
    const given = await this.sender.authorizer.getCredentials();
    const seen = (auth: EndpointSeen["auth"], authenticated: boolean): EndpointSeen => ({
      endpoint: this.connection.endpoint,
      auth,
      authenticated,
    });
    let response;
    try {
      response = await this.sender.send({ method: "GET", url: this.sender.url(""), scopes: [], attempts: 2 });
    } catch (error) {
      if (!needsCredentials && error instanceof RegistryError && error.code === "REGISTRY_CREDENTIALS_MISSING") {
        return seen(this.sender.authorizer.scheme === "bearer" ? "bearer" : "basic", false);
      }
      throw error;
    }
    const { scheme: kind } = this.sender.authorizer;
    if (response.status === 200) {
      if (kind === "unknown") {
        this.sender.authorizer.acceptAnonymous();
      }
      return kind === "unknown" || kind === "none" ? seen("none", true) : seen(kind, given !== undefined);
    }
    if (response.status === 401) {
      if (given === undefined && kind === "bearer") {
        return seen("bearer", false);
      }
      throw await this.sender.failure("GET", response);
    }
    if (response.status === 400 && this.endpoint.scheme === "http" && saysWantsTls(parseErrorBody(response).message)) {
      throw new RegistryError(
        "REGISTRY_NEEDS_TLS",
        `${authority} speaks TLS, but the endpoint says http://. Write https://${authority} or leave the scheme out.`,
        { status: 400 },
      );
    }
    if (response.status === 404 || response.status === 405 || (response.status >= 300 && response.status < 400)) {
      throw new RegistryError(
        "REGISTRY_NOT_A_REGISTRY",
        `${authority} does not answer as a registry (GET /v2/: ${response.status}). Check host and port; a namespace is written after them, as ${authority}/NAMESPACE.`,
        { status: response.status },
      );
    }
    throw await this.sender.failure("GET", response);
  }

  /** What a tag or digest points at; undefined when the registry has no such manifest. */
  async headManifest(repository: string, reference: string): Promise<ManifestSeen | undefined> {
    const url = this.sender.url(`${repository}/manifests/${reference}`);
    const response = await this.sender.send({
      method: "HEAD",
      url,
      headers: accept,
      scopes: [{ repository, actions: this.sender.access }],
    });
    if (response.status === 404) {
      return undefined;
    }
    const digest = response.headers["docker-content-digest"];
    if (response.status === 200 && digest !== undefined && isDigest(digest)) {
      return { digest, mediaType: mediaTypeOf(response.headers) };
    }
    if (response.status === 200 || response.status === 403 || response.status === 405) {
      // Without the header the digest is computed from the bytes. Artifactory may refuse the HEAD of what a GET shows.
      const read = await this.getManifest(repository, reference);
      return read === undefined ? undefined : { digest: read.digest, mediaType: read.mediaType };
    }
    throw await this.sender.failure("HEAD", response);
  }

  /**
   * @throws RegistryError `REGISTRY_DIGEST_MISMATCH` when the bytes are not those of the digest asked for, or promised
   */
  async getManifest(repository: string, reference: string): Promise<ManifestRead | undefined> {
    const url = this.sender.url(`${repository}/manifests/${reference}`);
    const response = await this.sender.send({
      method: "GET",
      url,
      headers: accept,
      scopes: [{ repository, actions: this.sender.access }],
    });
    if (response.status === 404) {
      return undefined;
    }
    if (response.status !== 200) {
      throw await this.sender.failure("GET", response);
    }
    const digest = sha256(response.body);
    const promised = isDigest(reference) ? reference : response.headers["docker-content-digest"];
    if (promised?.startsWith("sha256:") === true && promised !== digest) {
      throw new RegistryError(
        "REGISTRY_DIGEST_MISMATCH",
        `GET ${url.origin}${url.pathname}: the registry gave bytes with the digest ${digest} for ${promised}. Its storage or a cache in front of it is damaged.`,
      );
    }
    return {
      digest: isDigest(reference) ? reference : digest,
      mediaType: mediaTypeOf(response.headers),
      bytes: response.body,
    };
  }

  /**
   * Puts a manifest under a tag or its digest, byte for byte.
   *
   * @returns the subject that the registry says it has taken note of (OCI-Subject), so that no referrers tag is needed.
   * @throws RegistryError `REGISTRY_DIGEST_MISMATCH`, `REGISTRY_LAYER_URLS`; `MANIFEST_BLOB_UNKNOWN` and the like as
   * `registryCode`
   */
  async putManifest(
    repository: string,
    reference: string,
    manifest: ManifestToPut,
  ): Promise<{ subject: Digest | undefined }> {
    const url = this.sender.url(`${repository}/manifests/${reference}`);
    const response = await this.sender.send({
      method: "PUT",
      url,
      headers: { "content-type": manifest.mediaType },
      body: manifest.bytes,
      scopes: [{ repository, actions: "pull,push" }],
      commit: true,
      isFinal: (answer) => refusesUrls(answer, manifest),
    });
    if (refusesUrls(response, manifest)) {
      throw layerUrls(this.endpoint, url, response, manifest);
    }
    if (response.status !== 201 && response.status !== 200 && response.status !== 202) {
      throw await this.sender.failure("PUT", response);
    }
    const digest = response.headers["docker-content-digest"];
    if (digest !== undefined && digest !== manifest.digest) {
      throw new RegistryError(
        "REGISTRY_DIGEST_MISMATCH",
        `PUT ${url.origin}${url.pathname}: the registry stored ${digest} instead of ${manifest.digest}. It, or a proxy in front of it, changes manifests; a mirror must keep them byte for byte.`,
      );
    }
    return { subject: response.headers["oci-subject"] };
  }

  /**
   * Deletes a manifest with all its tags. @returns false when it was not there. @throws RegistryError
   * `REGISTRY_DELETE_DISABLED`
   */
  async deleteManifest(repository: string, digest: Digest): Promise<boolean> {
    const url = this.sender.url(`${repository}/manifests/${digest}`);
    const response = await this.sender.send({
      method: "DELETE",
      url,
      scopes: [{ repository, actions: "pull,push,delete" }],
    });
    if (response.status === 404) {
      return false;
    }
    if (response.status === 405) {
      throw new RegistryError(
        "REGISTRY_DELETE_DISABLED",
        `DELETE ${url.origin}${url.pathname}: the registry does not allow deletion. Allow it there (registry:2 and other distribution: REGISTRY_STORAGE_DELETE_ENABLED=true, or storage.delete.enabled in its file; a pull-through cache never does), or set deleteImages: false and leave prune out.`,
        { status: 405 },
      );
    }
    if (response.status >= 300) {
      throw await this.sender.failure("DELETE", response);
    }
    return true;
  }

  /**
   * The tags of a repository, all pages; none when it does not exist.
   *
   * @throws RegistryError `REGISTRY_NO_TAG_LIST` where the registry, or a proxy in front of it, does not list tags;
   * others as it refuses
   */
  async listTags(repository: string): Promise<string[]> {
    const tags: string[] = [];
    const first = this.sender.url(`${repository}/tags/list`);
    const asked = new Set<string>();
    for (let url: URL | undefined = first; url !== undefined;) {
      asked.add(url.href);
      const response = await this.sender.send({
        method: "GET",
        url,
        scopes: [{ repository, actions: this.sender.access }],
      });
      if (response.status === 404 && isNameUnknown(response)) {
        return tags;
      }
      const page = response.status === 200 ? tagsIn(response.body) : undefined;
      if (page === undefined) {
        if (response.status !== 200 && response.status !== 404 && response.status !== 405) {
          throw await this.sender.failure("GET", response);
        }
        throw new RegistryError(
          "REGISTRY_NO_TAG_LIST",
          `GET ${url.origin}${url.pathname}: the registry does not list tags (${response.status}).`,
          { status: response.status },
        );
      }
      tags.push(...page);
      const next = nextPage(response);
      if (next !== undefined && (next.origin !== first.origin || asked.has(next.href))) {
        throw new RegistryError(
          "REGISTRY_NO_TAG_LIST",
          `GET ${url.origin}${url.pathname}: its next page is ${next.origin}${next.pathname}, which is elsewhere or was read already.`,
        );
      }
      url = next;
    }
    return tags;
  }

  /**
   * @param refusal What a 403 means: of a repository that is yet to be made some registries answer it, and take the push all
   *   the same.
   */
  async hasBlob(
    repository: string,
    digest: Digest,
    refusal: { isAbsence: boolean } = { isAbsence: true },
  ): Promise<boolean> {
    const url = this.sender.url(`${repository}/blobs/${digest}`);
    const response = await this.sender.send({
      method: "HEAD",
      url,
      scopes: [{ repository, actions: this.sender.access }],
    });
    if (response.status === 200) {
      return true;
    }
    // A repository that does not exist yet is a 404, too.
    if (response.status === 404 || (response.status === 403 && refusal.isAbsence)) {
      return false;
    }
    throw await this.sender.failure("HEAD", response);
  }

  /**
   * Asks the registry to take a blob over from another of its repositories.
   *
   * @returns "declined" when it does not do that (202), "denied" when it may not for this pair; the content is to be
   * uploaded then.
   */
  async mountBlob(repository: string, digest: Digest, from: string): Promise<"mounted" | "declined" | "denied"> {
    const url = this.sender.url(`${repository}/blobs/uploads/`);
    url.searchParams.set("mount", digest);
    url.searchParams.set("from", from);
    const response = await this.sender.send({
      method: "POST",
      url,
      scopes: [
        { repository, actions: "pull,push" },
        { repository: from, actions: "pull" },
      ],
    });
    if (response.status === 201) {
      return "mounted";
    }
    if (response.status === 202) {
      // An upload was begun instead. It is given back, so that the registry keeps no unfinished one.
      if (response.headers["location"] !== undefined) {
        await cancelUpload(this.sender, repository, uploadLocation(response, this.sender));
      }
      return "declined";
    }
    if ([400, 401, 403, 404, 405].includes(response.status)) {
      return "denied";
    }
    throw await this.sender.failure("POST", response);
  }

  /**
   * Uploads a blob that the repository lacks.
   *
   * @throws StreamSpent when a try failed after the content had begun to flow and it cannot be opened again
   * @throws RegistryError as the registry refuses; whatever the content's own stream fails with
   */
  async uploadBlob(repository: string, source: BlobSource, options: UploadOptions = {}): Promise<void> {
    await new BlobUpload(this.sender, repository, source, options, this.learnt).run();
  }

  /** Uploads to a repository that are begun before their contents come by. To be closed. */
  beginUploads(repository: string, signal: AbortSignal): BegunUploads {
    return new BegunUploads(this.sender, repository, signal);
  }

  /**
   * The content of a blob, checked against its digest while it flows. What breaks is taken up again where it broke.
   * Errors of the stream: RegistryError as the registry refuses, `REGISTRY_DIGEST_MISMATCH`.
   */
  downloadBlob(repository: string, blob: { digest: Digest; size: number }): Readable {
    const request = {
      url: this.sender.url(`${repository}/blobs/${blob.digest}`),
      scopes: [{ repository, actions: this.sender.access }],
    };
    return Readable.from(this.sender.inTurn(new BlobDownload(this.sender, request, blob).pieces()), {
      objectMode: false,
      highWaterMark: 1 << 20,
    });
  }

  /**
   * Manifests whose subject this digest is (distribution-spec v1.1.1, "Listing Referrers"): those of the registry's list,
   * or of the tag that stands in for it where the registry has none.
   */
  async listReferrers(repository: string, digest: Digest): Promise<Descriptor[]> {
    const first = this.sender.url(`${repository}/referrers/${digest}`);
    const found: Descriptor[] = [];
    const asked = new Set<string>();
    for (let url: URL | undefined = first; url !== undefined;) {
      asked.add(url.href);
      const scopes = [{ repository, actions: this.sender.access }];
      const response = await this.sender.send({ method: "GET", url, headers: accept, scopes });
      if (response.status !== 200 || mediaTypeOf(response.headers) !== mediaTypes.ociIndex) {
        const list = await this.getManifest(repository, referrersTag(digest));
        return list === undefined ? [] : referrersIn(list.bytes);
      }
      found.push(...referrersIn(response.body));
      const next = nextPage(response);
      url = next?.origin !== first.origin || asked.has(next.href) ? undefined : next;
    }
    return found;
  }

  /** How long a registry may take to answer that is asked one thing after the other. */
  get quickAnswerMs(): number {
    return this.sender.quickAnswerMs;
  }

  /** Set while the registry is taken to be down, after several requests in a row failed for good. */
  get downError(): RegistryError | undefined {
    return this.sender.downError;
  }

  /** Ends everything under way and frees the connections. */
  close(): Promise<void> {
    return this.sender.close();
  }
}

/**
 * The distribution project's registry takes no layer with URLs unless it is configured so, and says that with a 500
 * that calls the layer unknown: no trouble that passes.
 */
function refusesUrls(response: HttpResponse, { elsewhere = [] }: ManifestToPut): boolean {
  return (
    elsewhere.length > 0 && response.status === 500 && parseErrorBody(response).codes.includes("MANIFEST_BLOB_UNKNOWN")
  );
}

function layerUrls(
  { authority }: RegistryEndpoint,
  url: URL,
  response: HttpResponse,
  { elsewhere = [] }: ManifestToPut,
): RegistryError {
  const { digest, urls } = elsewhere[0] as Descriptor;
  return new RegistryError(
    "REGISTRY_LAYER_URLS",
    `PUT ${url.origin}${url.pathname}: ${authority} takes no manifest with a non-distributable layer, one that is fetched from its own URL (${digest} from ${urls?.[0] ?? ""}). ` +
      "Allow such URLs there (distribution: validation.manifests.urls.allow), or leave the image out with exclude.",
    { status: response.status },
  );
}

const accept = { accept: manifestMediaTypes.join(", ") };

/** Only this code says that the repository does not exist; a registry that serves no lists answers 404 as well. */
function isNameUnknown(response: HttpResponse): boolean {
  return parseErrorBody(response).code === "NAME_UNKNOWN";
}

/** Undefined for what is no list of tags: a proxy's own page, for one. */
function tagsIn(body: Buffer): string[] | undefined {
  try {
    const { tags } = JSON.parse(body.toString("utf8")) as { tags?: unknown };
    // A repository that has lost its last tag answers null.
    return Array.isArray(tags) ? tags.filter((tag) => typeof tag === "string") : tags === null ? [] : undefined;
  } catch {
    return undefined;
  }
}

/** distribution-spec v1.1.1, "Listing Tags" and "Listing Referrers": a further page is named by a Link of RFC 5988. */
function nextPage({ headers, url }: SendResponse): URL | undefined {
  const link = /<([^>]+)>\s*;\s*rel="?next"?/.exec(headers["link"] ?? "")?.[1];
  return link === undefined ? undefined : new URL(link, url);
}

function mediaTypeOf(headers: Record<string, string>): string {
  return (headers["content-type"] ?? "").split(";")[0]?.trim() ?? "";
}
