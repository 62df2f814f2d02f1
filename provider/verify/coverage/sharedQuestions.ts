import { silentLog } from "../../model/context";
import { MirrorQuestions } from "./mirrorQuestions";

/** Of no node in particular: one that is interrupted takes no answer away from the others. */
const context = { signal: new AbortController().signal, log: silentLog };

/**
 * The questions of all nodes that are looked at or configured at the same time: an image is asked for once. When the last
 * of them is done the connections are closed, and what was answered is forgotten, because it may not stay so.
 */
export class SharedQuestions {
  private current: { questions: MirrorQuestions; users: number } | undefined;

  async use<T>(work: (questions: MirrorQuestions) => Promise<T>): Promise<T> {
    this.current ??= { questions: new MirrorQuestions(context), users: 0 };
    const mine = this.current;
    mine.users++;
    try {
      return await work(mine.questions);
    } finally {
      mine.users--;
      if (mine.users === 0) {
        this.current = undefined;
        await mine.questions.close();
      }
    }
  }
}
