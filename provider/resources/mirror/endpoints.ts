import type { Credentials } from "../../containerd/desired";
import { upstreamAuthority } from "../../containerd/hostNames";
import type { OperationContext } from "../../model/context";
import { textWithCode } from "../../model/errors";
import { parseRegistryEndpoint } from "../../registry/endpoint";
import type { EndpointSeen } from "../../registry/push/pushResult";
import { Registry } from "../../registry/registry";
import type { MirrorWire } from "./wire";

/** What decides whom to ask, and how. */
export type EndpointsToAsk = Pick<
  MirrorWire,
  "mirrors" | "insecure" | "hosts" | "files" | "credentials" | "hostsDir" | "checkEndpoints"
>;

/** Asks each endpoint whether it answers and how it authenticates; what fails of one does not stop the others. */
export async function askEndpoints(
  inputs: EndpointsToAsk,
  context: OperationContext,
): Promise<{ seen: EndpointSeen[]; failures: string[] }> {
  const seen: EndpointSeen[] = [];
  const failures: string[] = [];
  for (const { endpoint, credential, caCert, needsCredentials } of inputs.checkEndpoints ? placesToAsk(inputs) : []) {
    context.log.progress(`asking ${endpoint}`);
    const registry = new Registry(
      {
        endpoint,
        ...(caCert === undefined ? {} : { caCert }),
        ...(credential === undefined ? {} : { username: credential.username, password: credential.password }),
        ...(inputs.insecure?.includes(endpoint) === true ? { insecure: true } : {}),
      },
      context,
    );
    try {
      seen.push(await registry.ping({ needsCredentials }));
    } catch (error) {
      failures.push(textWithCode(error));
    } finally {
      await registry.close();
    }
  }
  return { seen, failures };
}

interface PlaceToAsk {
  endpoint: string;
  credential: Credentials[string] | undefined;
  caCert: string | undefined;
  /** False: pods may bring credentials of their own. */
  needsCredentials: boolean;
}

/** The mirrors, and the private registries, each with what the nodes ask it with. */
function placesToAsk(inputs: EndpointsToAsk): PlaceToAsk[] {
  const mirrors = inputs.mirrors.map((endpoint): PlaceToAsk => {
    const { authority } = parseRegistryEndpoint(endpoint);
    const caCert = inputs.files[`${inputs.hostsDir}/${authority}/ca.crt`];
    return { endpoint, credential: inputs.credentials[authority], caCert, needsCredentials: true };
  });
  const asked = new Set(mirrors.map(({ endpoint }) => parseRegistryEndpoint(endpoint).authority));
  const direct = inputs.hosts.flatMap(({ host, access }): PlaceToAsk[] => {
    const authority = upstreamAuthority(host);
    if (access === undefined || authority === undefined || asked.has(authority)) {
      return [];
    }
    return [
      {
        endpoint: `https://${authority}`,
        credential: access.credential === undefined ? undefined : inputs.credentials[access.credential],
        caCert: access.caPath === undefined ? undefined : inputs.files[access.caPath],
        needsCredentials: access.credential !== undefined,
      },
    ];
  });
  return [...mirrors, ...direct];
}
