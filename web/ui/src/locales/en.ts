export default {
  app: {
    name: 'Zuoxi', demo: 'Demo data', search: 'Search', shortcuts: 'Shortcuts', language: 'Language', zh: '中', en: 'EN', theme: 'Theme', signOut: 'Sign out', main: 'Work area',
  },
  menu: {
    main: 'Main menu', find: 'Find a page', none: 'No such page', collapse: 'Collapse', expand: 'Expand',
    calls: 'Interactions', tasks: 'Task center', support: 'Service support', reports: 'Reports', recordings: 'Recordings', live: 'Live monitor', me: 'My info', studio: 'Flow studio', admin: 'Admin',
  },
  tabs: {
    list: 'Open pages', dirty: 'Has an unsaved draft', close: 'Close', limit: 'At most 5 tabs', fullTitle: 'At most 5 tabs',
    fullPropose: '5 tabs are open. Close "{name}", unused for longest and without a draft, or choose another.', fullChoose: '5 tabs are open, each with a draft. Choose one to replace; its draft is kept.', replace: 'Replace {name}',
  },
  notice: { title: 'Announcements', all: 'Show all', allCount: 'All {n}', none: 'No announcements', level: { urgent: 'Urgent', normal: 'Notice' } },
  offline: {
    title: 'Offline {time}', what: 'The phone still works; typing is kept here and sent when the line is back', next: 'Try {n} in {s} s', trying: 'Reconnecting', now: 'Reconnect now', stale: 'Figures stopped at {time}',
  },
  status: { number: 'Agent {number}', extension: 'Ext. {extension}', up: 'Online', upMs: 'Online {ms} ms', down: 'Offline' },
  state: {
    failed: 'Could not be loaded', trace: 'Trace {trace}', noPermission: 'No permission', noPermissionWhy: 'This page is not part of your role.', needs: 'Needs the permission: {needs}.', whoGrants: 'Granted by: {who}',
    notFound: 'No such page', notFoundWhy: 'The address may have changed, or the content is gone', home: 'Home', loading: 'Loading',
  },
  act: { retry: 'Retry', close: 'Close', cancel: 'Cancel', ok: 'OK', save: 'Save', undo: 'Undo', copy: 'Copy', more: 'More', back: 'Back', refresh: 'Refresh' },
  table: { empty: 'Nothing here', selectAll: 'Select all', selectRow: 'Select this row' },
  conflict: { kept: 'Your text is not lost', theirs: 'In force · {by}', mine: 'Your draft {at}', copy: 'Copy my text', discard: 'Discard' },
  sla: { none: 'No due time', over: '{time} over', left: '{time} left' },
  priority: { 1: 'Urgent', 2: 'High', 3: 'Normal', 4: 'Low' },
  agent: { talk: 'Talking', ring: 'Ringing', wrap: 'Wrap-up', hold: 'On hold', idle: 'Ready', busy: 'Not ready', rest: 'Break', out: 'Signed out' },
  time: {
    tomorrow: 'Tomorrow {time}', yesterday: 'Yesterday {time}', seconds: '{n} s', ago: '{time} ago',
    weekday: { 0: 'Sun', 1: 'Mon', 2: 'Tue', 3: 'Wed', 4: 'Thu', 5: 'Fri', 6: 'Sat' },
  },
  keys: { find: 'Find a page', list: 'List of shortcuts', tab: 'Go to tab', undo: 'Undo', hold: '(hold)' },
  role: {
    agent: 'Agent', team_leader: 'Team leader', supervisor: 'Supervisor', manager: 'Manager', director: 'Director', analyst: 'Flow analyst', clinic: 'Clinic', pharmacy: 'Pharmacy', finance: 'Finance', admin: 'Administrator', system: 'System',
  },
  form: {
    saved: 'Draft saved {time}', savedLocal: 'Draft kept here {time}', saving: 'Draft not saved yet', restored: 'Draft of {time} restored', required: 'Required', choose: 'Choose', none: 'None', yes: 'Yes', no: 'No', more: 'More',
    problems: '{n} to correct', noOptions: 'Nothing to choose', optionsFailed: 'Choices could not be loaded', add: 'Add', remove: 'Remove', search: 'Number or name',
    error: {
      required: 'Required', type: 'Wrong format', enum: 'Not one of the choices', const: 'Wrong value', format: 'Wrong format', pattern: 'Wrong format', minLength: 'Too short', maxLength: 'Too long', minimum: 'Too small', maximum: 'Too large',
      minItems: 'Too few', maxItems: 'Too many', uniqueItems: 'Has doubles', oneOf: 'Wrong value', anyOf: 'Wrong value', additionalProperties: 'Unknown field', not: 'Wrong value', oneNeeded: 'Fill one of these', other: 'Wrong',
    },
  },
  task: { completed: 'Done: {title}', undone: 'Undone, the task is open again' },
  diagram: { label: 'Flow diagram', now: 'Current', left: '{time} left', over: '{time} over', incidents: '{n} incidents', loading: 'Loading the diagram', failed: 'The diagram could not be loaded', fit: 'Fit', zoomIn: 'Zoom in', zoomOut: 'Zoom out' },
  errors: {
    unknown: 'Not done ({code})', unexpected: 'The page failed; it was noted', offline: 'No connection to the server; your typing is kept', server_error: 'The server failed, try again later', someone: 'Somebody else',
    not_authenticated: 'Your session is over', no_permission: 'No permission', not_found: 'Not found', http_400: 'Wrong request', http_403: 'No permission', http_404: 'Not found', http_405: 'Not possible this way', http_409: 'The state has changed', http_429: 'Too often, try again later',
    csrf_failed: 'The page is out of date, reload it', bad_request: 'Wrong request', conflict: 'The state has changed, reloaded', invalid: 'Some entries are wrong', invalid_form: 'Some entries are wrong', invalid_credentials: 'Wrong number or password', extension_required: 'An extension is needed',
    extension_unknown: 'No such extension', seat_taken: 'Already signed in elsewhere: {by}', locked_out: 'Too many failures, locked', task_taken: '{by} has claimed it', task_done: '{by} has completed it', task_gone: 'The task is gone',
    not_claimable: 'Cannot be claimed', not_mine: 'Not my task', undo_expired: 'Too late to undo', pbx_silent: 'The switch does not answer', pbx_refused: 'The switch refused', already_ended: 'The call is over', wrong_state: 'Not possible now',
    not_signed_in: 'Not signed in', call_gone: 'The call is over', not_your_call: 'Not your call', no_flow: 'The flow is not deployed', throttled: 'Too often, try again later', validation_error: 'Some entries are wrong', permission_denied: 'No permission',
  },
}
