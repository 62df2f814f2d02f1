import { silentLog } from "../../provider/model/context";
import { connectNode } from "../../provider/node";
import { closeIdleNodes } from "../../provider/node/node";
import type { Lab, LabNode } from "../lab/lab";

export interface Pulled {
  /** What the node lists for the name afterwards, e.g. `["gcr.io/a/b@sha256:..."]`. */
  repoDigests: string[];
  error?: string;
}

/**
 * Pulls on a node as the kubelet does: through CRI, so that containerd's registry configuration counts (ctr ignores
 * it).
 */
export async function pullOnNode(lab: Lab, node: LabNode, image: string): Promise<Pulled> {
  const connection = {
    host: node.address,
    port: node.port,
    privateKeyPath: lab.keys.plain.privateKeyPath,
    hostKey: node.hostKey,
  };
  const reached = await connectNode(connection, { signal: new AbortController().signal, log: silentLog });
  const cri = reached.cri();
  try {
    await cri.removeImage(image);
    await cri.pullImage(image);
    return { repoDigests: (await cri.imageStatus(image))?.repoDigests ?? [] };
  } catch (error) {
    return { repoDigests: [], error: (error as Error).message };
  } finally {
    cri.close();
    reached.close();
    await closeIdleNodes();
  }
}
