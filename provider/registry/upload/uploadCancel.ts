import { messageOf } from "../../model/errors";
import type { Sender } from "../http/sender";

/** A push that ends, also one that is cancelled, waits at most this long for an upload to be given back. */
const cancelMs = 5_000;

/**
 * Gives an unfinished upload back (distribution-spec v1.1.1, "Canceling an upload"), so that the registry does not keep
 * what came of it: many tidy up after a week, some never. Never fails: not every registry allows it, and a push does
 * not depend on it. The distribution project's registry cancels what has not begun to flow and what came in whole
 * chunks, but not a content that was cut in the middle: its address holds the place where it began, and another is
 * never told.
 *
 * @param at Where the upload would go on.
 */
export async function cancelUpload(sender: Sender, repository: string, at: URL): Promise<void> {
  try {
    // Not the context's signal: a push that is cancelled cleans up behind itself.
    const signal = AbortSignal.timeout(cancelMs);
    const response = await sender.send({
      method: "DELETE",
      url: at,
      scopes: [{ repository, actions: "pull,push" }],
      once: true,
      signal,
    });
    if (response.status >= 400 && response.status !== 404) {
      sender.ctx.log.debug(
        `an upload to ${repository} stays unfinished: the registry answers ${response.status} to its cancellation`,
      );
    }
  } catch (error) {
    sender.ctx.log.debug(`an upload to ${repository} stays unfinished: ${messageOf(error)}`);
  }
}
