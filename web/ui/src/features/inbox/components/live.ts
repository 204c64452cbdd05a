import { defineComponent, onScopeDispose } from 'vue'
import { useInbox } from '../store'

/** Shows nothing: keeps the counters of the menu up to date while somebody is signed in. */
export default defineComponent({
  name: 'InboxLive',
  setup() {
    const inbox = useInbox()
    inbox.start()
    onScopeDispose(() => inbox.stop())
    return () => null
  },
})
