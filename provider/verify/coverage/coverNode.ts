import type { AuthKinds, Credentials, DesiredHost, DesiredMirror } from "../../containerd/desired";
import { parseEndpointUrl } from "../../containerd/hostNames";
import type { RegistryConnection } from "../../registry/connection";
import type { ImageCoverage, NodeCoverage } from "./coverage";
import { summarizeImages } from "./coverage";
import type { HeldImage, ImageLists } from "./heldImages";
import { imagesHeld, referenceOf } from "./heldImages";
import type { MirrorQuestions } from "./mirrorQuestions";

/** Which mirrors are asked for which host, and with what. */
export interface CoverageRoutes {
  hosts: readonly DesiredHost[];
  /** Path on the node -> text: the CAs. */
  files: Readonly<Record<string, string>>;
  credentials: Credentials;
  /** By authority: those that answered when the mirror was declared. Others cannot be asked from here. */
  auth: AuthKinds;
  /** Name -> digest of images that are about to be pushed: they count as being there. */
  planned?: Readonly<Record<string, string>>;
}

/**
 * Of all images of a node, which ones its mirrors would serve: nothing is pulled, each mirror is asked by one HEAD an
 * image, or two where its tag is another image.
 */
export async function coverNode(
  cri: ImageLists,
  routes: CoverageRoutes,
  questions: MirrorQuestions,
): Promise<NodeCoverage> {
  const held = await imagesHeld(cri);
  return summarizeImages(await Promise.all(held.map((image) => coverImage(image, routes, questions))));
}

async function coverImage(
  { also = [], ...held }: HeldImage,
  routes: CoverageRoutes,
  questions: MirrorQuestions,
): Promise<ImageCoverage> {
  const reference = referenceOf(held.image);
  if (reference === undefined || /^localhost(:|$)/.test(reference.host)) {
    return { ...held, status: "local" };
  }
  const { digest } = held;
  if (digest === undefined) {
    return { ...held, status: "no-digest" };
  }
  const places = placesFor(reference.host, routes);
  if (places.length === 0) {
    return { ...held, status: "not-mirrored" };
  }
  if (routes.planned?.[held.image] === digest) {
    return { ...held, status: "served" };
  }
  let without: ImageCoverage = { ...held, status: "missing" };
  for (const place of places) {
    if (!Object.hasOwn(routes.auth, parseEndpointUrl(place.endpoint)?.authority ?? "")) {
      without = {
        ...held,
        status: "unknown",
        reason: `${place.endpoint} is not asked from here (checkEndpoints: false)`,
      };
      continue;
    }
    const answer = await questions.ask(place, reference.repository, reference.tag ?? digest);
    if ("digest" in answer) {
      // containerd takes the first place that has the name.
      if (answer.digest === digest || also.includes(answer.digest)) {
        return { ...held, status: "served" };
      }
      const byDigest = await questions.ask(place, reference.repository, digest);
      return {
        ...held,
        status: "other-digest",
        mirrorDigest: answer.digest,
        ...("digest" in byDigest ? { byDigest: true } : {}),
      };
    }
    if ("error" in answer) {
      without = { ...held, status: "unknown", reason: answer.error };
    }
  }
  return without;
}

/** Whom a node asks for images of a host, without the public registry: its mirrors, or the host itself where it is private. */
function placesFor(host: string, routes: CoverageRoutes): RegistryConnection[] {
  const { hosts, files, credentials } = routes;
  const route = hosts.find((one) => one.host === host) ?? hosts.find((one) => one.host === "_default");
  const mirrors = route?.mirrors ?? [];
  const places = mirrors.map((mirror) => connectionTo(mirror.endpoint, mirror, routes));
  if (route?.access !== undefined) {
    places.push(connectionTo(`https://${host}`, route.access, routes));
  }
  // An image may go by a mirror's own name, as one that was pulled to compare the two.
  const own = hosts
    .flatMap((one) => one.mirrors)
    .find(({ endpoint }) => parseEndpointUrl(endpoint)?.authority === host);
  if (places.length === 0 && own !== undefined) {
    places.push(connectionTo(originOf(own.endpoint), own, { files, credentials }));
  }
  return places;
}

function originOf(endpoint: string): string {
  const url = parseEndpointUrl(endpoint);
  return url === undefined ? endpoint : `${url.scheme}://${url.authority}`;
}

function connectionTo(
  endpoint: string,
  { caPath, credential, insecure }: Pick<DesiredMirror, "caPath" | "credential" | "insecure">,
  { files, credentials }: Pick<CoverageRoutes, "files" | "credentials">,
): RegistryConnection {
  const caCert = caPath === undefined ? undefined : files[caPath];
  const login = credential === undefined ? undefined : credentials[credential];
  return {
    endpoint,
    ...(caCert === undefined ? {} : { caCert }),
    ...(login ?? {}),
    ...(insecure === true ? { insecure: true } : {}),
  };
}
