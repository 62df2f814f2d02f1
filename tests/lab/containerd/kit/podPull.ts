import { messageOf } from "../../../../provider/model/errors";
import type { Lab, LabNode } from "../../lab";
import { onContainerdSocket } from "../../node/support/containerdSocket";

/** A pod's pull secret. */
export interface PodSecret {
  username: string;
  password: string;
  /** The registry it is for. Without it containerd sends it to whichever host asks. */
  serverAddress: string;
}

/**
 * Pulls as the kubelet does for a pod with a pull secret of its own; the provider never sends one. Resolves to
 * containerd's error, or undefined when the image was pulled.
 */
export async function pullAsPod(
  lab: Lab,
  node: LabNode,
  image: string,
  secret: PodSecret,
): Promise<string | undefined> {
  await node.resetImages();
  const { username, password, serverAddress } = secret;
  const auth = Buffer.concat([field(1, username), field(2, password), field(4, serverAddress)]);
  const request = Buffer.concat([field(1, field(1, image)), field(2, auth)]);
  try {
    await onContainerdSocket(lab, node, (client) => client.call("/runtime.v1.ImageService/PullImage", request, 60_000));
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

/** A protobuf field of texts or of a message, below 128 bytes: PullImageRequest and AuthConfig of runtime.v1. */
function field(number: number, content: string | Buffer): Buffer {
  const bytes = Buffer.from(content);
  if (bytes.length > 127) {
    throw new Error(`field ${number} is too long for this test's protobuf`);
  }
  return Buffer.concat([Buffer.from([(number << 3) | 2, bytes.length]), bytes]);
}
