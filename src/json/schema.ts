import { InvalidMessageError } from '../errors.js'
import { showValue } from '../check.js'
import { SchemaFailure } from '../service/codec.js'
import { isThenable } from '../socket/no-reply.js'

/** A validator of any library that follows Standard Schema, version 1 (https://standardschema.dev). */
export interface StandardSchema<Output = unknown> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>
    readonly types?: { readonly input: unknown; readonly output: Output } | undefined
  }
}

type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | {
      readonly issues: readonly { readonly message: string; readonly path?: readonly unknown[] | undefined }[]
    }

/** @throws InvalidMessageError with 1007 for what the schema does not allow; SchemaFailure. A promise rejects with them */
export function validate<T>(schema: StandardSchema<T>, value: unknown): T | Promise<T> {
  let result
  try {
    result = schema['~standard'].validate(value)
  } catch (error) {
    throw new SchemaFailure(error)
  }
  if (!isThenable(result)) return accepted(result)
  return Promise.resolve(result).then(accepted, (error: unknown) => {
    throw new SchemaFailure(error)
  })
}

function accepted<T>(result: SchemaResult<T>): T {
  if (result.issues === undefined) return result.value
  throw new InvalidMessageError(1007, 'a message that the schema does not allow', { issues: result.issues })
}

/** @throws TypeError for what does not follow Standard Schema, version 1 */
export function checkSchema(schema: unknown): void {
  const isHolder = (typeof schema === 'object' && schema !== null) || typeof schema === 'function'
  const standard = isHolder ? (schema as Partial<StandardSchema>)['~standard'] : undefined
  if (standard?.version !== 1 || typeof standard.validate !== 'function') {
    throw new TypeError(
      `schema must follow Standard Schema version 1 (a '~standard' with validate), not ${showValue(schema)}`,
    )
  }
}
