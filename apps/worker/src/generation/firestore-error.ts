/** Tells apart what Firestore refuses: a lost fence, a service out of reach, and everything else. */

/** `fenced`: the document is not as its precondition says, or gone. */
export type FirestoreFault = 'fenced' | 'unavailable' | 'permanent';

/** gRPC status codes: https://grpc.io/docs/guides/status-codes/ */
const FAULTS: ReadonlyMap<unknown, FirestoreFault> = new Map<unknown, FirestoreFault>([
  [4, 'unavailable'], // DEADLINE_EXCEEDED
  [5, 'fenced'], // NOT_FOUND
  [9, 'fenced'], // FAILED_PRECONDITION
  [10, 'unavailable'], // ABORTED, after the SDK's own tries
  [14, 'unavailable'], // UNAVAILABLE
]);

/** The fault behind anything that the SDK threw; what has no gRPC status is `permanent`. */
export function firestoreFaultOf(thrown: unknown): FirestoreFault {
  return FAULTS.get((thrown as { code?: unknown } | null)?.code) ?? 'permanent';
}
