/** What went wrong in the lab, in words that tell a person what to do. */
export class LabError extends Error {
  override readonly name = "LabError";
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}
