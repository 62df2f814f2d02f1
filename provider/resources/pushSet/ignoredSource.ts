import { isUnknown } from "../../pulumi/plainValue";
import { describeSources, sourceMark, sourceProblems } from "./sources";
import type { PushSetInputs } from "./state";

/** What `ignoreChanges` made of the inputs. */
export interface KeptSource {
  inputs: PushSetInputs;
  note: string;
}

/**
 * With `ignoreChanges: ["source"]` the engine puts the last source in the place of the program's, and leaves what the program
 * has seen of its own beside it. Of the last source, the last inputs say what was seen.
 *
 * @param mark Of which source fingerprint, contents and digests of `news` are.
 * @returns undefined where no source was ignored
 */
export function keptSource(
  olds: Partial<PushSetInputs>,
  news: PushSetInputs,
  mark: string | undefined,
): KeptSource | undefined {
  const { source } = news;
  if (mark === undefined || isUnknown(mark) || isUnknown(source) || sourceProblems(source).length > 0) {
    return undefined;
  }
  if (olds.source === undefined || sourceMark(source) === mark) {
    return undefined;
  }
  const { fingerprint: _fingerprint, contents: _contents, digests: _digests, ...rest } = news;
  const { fingerprint, contents, digests } = olds;
  const seen = {
    ...(fingerprint === undefined ? {} : { fingerprint }),
    ...(contents === undefined ? {} : { contents }),
    ...(digests === undefined ? {} : { digests }),
  };
  return {
    inputs: { ...rest, ...seen },
    note: `source: ignoreChanges keeps ${describeSources(source)}, as at the last push; what the program names now is not pushed`,
  };
}
