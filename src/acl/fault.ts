// What can be wrong with a rule, in Redis's words.

export interface Fault {
  readonly sentence: string;
  /** It names a command or a category that does not exist. */
  readonly isUnknownName: boolean;
}

function fault(sentence: string): Fault {
  return { sentence, isUnknownName: false };
}

export const UNKNOWN_NAME: Fault = {
  sentence: 'Unknown command or category name in ACL',
  isUnknownName: true,
};
export const BAD_SYNTAX = fault('Syntax error');
export const AFTER_ALL_KEYS = fault(
  "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have " +
    "any effect. Try 'resetkeys' to start with an empty list of patterns",
);
export const AFTER_ALL_CHANNELS = fault(
  "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not " +
    "have any effect. Try 'resetchannels' to start with an empty list of channels",
);
export const NO_SUCH_PASSWORD = fault(
  'The password you are trying to remove from the user does not exist',
);
export const BAD_HASH = fault(
  'The password hash must be exactly 64 characters and contain only lowercase hexadecimal ' +
    'characters',
);
export const ARGUMENT_OF_SUBCOMMAND = fault('Allowing first-arg of a subcommand is not supported');
