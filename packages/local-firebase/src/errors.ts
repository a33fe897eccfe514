/** The one error class of this package. What goes over a wire has the wire's own error shapes; this is for the caller in this process. */

/** What went wrong, for programs. */
export type LocalFirebaseErrorCode =
  /** An option or a rule that cannot mean anything. */
  | 'invalid_configuration'
  /** The address to listen on is taken or not ours. */
  | 'address_unavailable'
  /** The data folder or file cannot be opened, or was written by something else. */
  | 'data_unreadable'
  /** A rules file that does not compile; the message says where, line by line. */
  | 'invalid_rules';

/** A failure of a local service to start, or to be built, with a sentence for people. */
export class LocalFirebaseError extends Error {
  readonly code: LocalFirebaseErrorCode;

  constructor(code: LocalFirebaseErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'LocalFirebaseError';
    this.code = code;
  }
}
