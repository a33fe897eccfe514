/** The messages of google.firestore.v1 that this server reads and writes, in the object form of protos.ts. */

/** Seconds as a decimal string; a part that is zero may be absent. */
export type Timestamp = { seconds?: string; nanos?: number };

export type LatLng = { latitude?: number; longitude?: number };

export type ArrayValue = { values?: Value[] };

export type Fields = Record<string, Value>;

export type MapValue = { fields?: Fields };

export type Value =
  | { nullValue: 'NULL_VALUE' }
  | { booleanValue: boolean }
  | { integerValue: string }
  | { doubleValue: number }
  | { timestampValue: Timestamp }
  | { stringValue: string }
  | { bytesValue: Buffer }
  | { referenceValue: string }
  | { geoPointValue: LatLng }
  | { arrayValue: ArrayValue }
  | { mapValue: MapValue };

export type Document = { name: string; fields?: Fields; createTime?: Timestamp; updateTime?: Timestamp };

export type DocumentMask = { fieldPaths?: string[] };

export type Precondition = { exists?: boolean; updateTime?: Timestamp };

export type FieldTransform = {
  fieldPath?: string;
  setToServerValue?: 'SERVER_VALUE_UNSPECIFIED' | 'REQUEST_TIME';
  increment?: Value;
  maximum?: Value;
  minimum?: Value;
  appendMissingElements?: ArrayValue;
  removeAllFromArray?: ArrayValue;
};

export type Write = {
  update?: Document;
  delete?: string;
  verify?: string;
  transform?: { document: string; fieldTransforms?: FieldTransform[] };
  updateMask?: DocumentMask;
  updateTransforms?: FieldTransform[];
  currentDocument?: Precondition;
};

export type WriteResult = { updateTime?: Timestamp; transformResults?: Value[] };

export type CommitResponse = { writeResults: WriteResult[]; commitTime: Timestamp };

export type TransactionOptions = {
  readOnly?: { readTime?: Timestamp };
  readWrite?: { retryTransaction?: Buffer };
};

/** What reads may carry: at most one of the three. */
export type Consistency = { transaction?: Buffer; newTransaction?: TransactionOptions; readTime?: Timestamp };

export type FieldReference = { fieldPath?: string };

export type FieldOperator =
  | 'OPERATOR_UNSPECIFIED'
  | 'LESS_THAN'
  | 'LESS_THAN_OR_EQUAL'
  | 'GREATER_THAN'
  | 'GREATER_THAN_OR_EQUAL'
  | 'EQUAL'
  | 'NOT_EQUAL'
  | 'ARRAY_CONTAINS'
  | 'IN'
  | 'ARRAY_CONTAINS_ANY'
  | 'NOT_IN';

export type FieldFilter = { field?: FieldReference; op?: FieldOperator; value?: Value };

export type UnaryFilter = {
  field?: FieldReference;
  op?: 'OPERATOR_UNSPECIFIED' | 'IS_NAN' | 'IS_NULL' | 'IS_NOT_NAN' | 'IS_NOT_NULL';
};

type CompositeFilter = { op?: 'OPERATOR_UNSPECIFIED' | 'AND' | 'OR'; filters?: Filter[] };

export type Filter = {
  compositeFilter?: CompositeFilter;
  fieldFilter?: FieldFilter;
  unaryFilter?: UnaryFilter;
};

export type Order = {
  field?: FieldReference;
  direction?: 'DIRECTION_UNSPECIFIED' | 'ASCENDING' | 'DESCENDING';
};

export type Cursor = { values?: Value[]; before?: boolean };

export type StructuredQuery = {
  select?: { fields?: FieldReference[] };
  from?: { collectionId?: string; allDescendants?: boolean }[];
  where?: Filter;
  orderBy?: Order[];
  startAt?: Cursor;
  endAt?: Cursor;
  offset?: number;
  limit?: { value?: number };
  findNearest?: object;
};

export type Aggregation = {
  count?: { upTo?: { value?: string } };
  sum?: { field?: FieldReference };
  avg?: { field?: FieldReference };
  alias?: string;
};

export type Target = {
  query?: { parent: string; structuredQuery?: StructuredQuery };
  documents?: { documents?: string[] };
  resumeToken?: Buffer;
  readTime?: Timestamp;
  targetId?: number;
  once?: boolean;
  expectedCount?: { value?: number };
};

export type ListenRequest = { database?: string; addTarget?: Target; removeTarget?: number };

export type TargetChange = {
  targetChangeType: 'NO_CHANGE' | 'ADD' | 'REMOVE' | 'CURRENT' | 'RESET';
  targetIds?: number[];
  cause?: { code: number; message: string };
  resumeToken?: Buffer;
  readTime?: Timestamp;
};

export type ListenResponse =
  | { targetChange: TargetChange }
  | { documentChange: { document: Document; targetIds?: number[]; removedTargetIds?: number[] } }
  | { documentDelete: { document: string; removedTargetIds: number[]; readTime: Timestamp } }
  | { documentRemove: { document: string; removedTargetIds: number[]; readTime: Timestamp } }
  | { filter: { targetId: number; count: number } };

export type WriteRequest = { database?: string; streamId?: string; writes?: Write[]; streamToken?: Buffer };

export type WriteResponse = {
  streamId?: string;
  streamToken: Buffer;
  writeResults?: WriteResult[];
  commitTime?: Timestamp;
};
