import { missingRepository } from "../http/denied";
import type { Sender, SendResponse } from "../http/sender";

/**
 * Begins an upload (distribution-spec v1.1.1, "Pushing blobs": POST); where its content goes is in the answer's Location.
 *
 * @throws RegistryError as the registry refuses: `REGISTRY_REPOSITORY_MISSING` where it makes no repositories by itself
 */
export async function beginUpload(sender: Sender, repository: string, signal: AbortSignal): Promise<SendResponse> {
  const response = await sender.send({
    method: "POST",
    url: sender.url(`${repository}/blobs/uploads/`),
    scopes: [{ repository, actions: "pull,push" }],
    signal,
  });
  if (response.status === 404) {
    throw missingRepository(sender.endpoint, repository, response);
  }
  if (response.status !== 202) {
    throw await sender.failure("POST", response);
  }
  return response;
}
