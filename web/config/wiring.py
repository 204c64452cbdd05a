"""Who hears what: the one table of everything told upwards after commit (ARCHITECTURE 3.2). What must not be missed is not here:
it is a row written with the act."""

from __future__ import annotations

from web.accounts.events import LoggedOut, Notified, SessionsEnded
from web.accounts.models import User
from web.agents.events import AgentChanged, SeatLeft
from web.announcements.events import AnnouncementsChanged
from web.appointments import services as appointments
from web.appointments.events import AppointmentChanged
from web.appointments.models import Appointment
from web.calls.events import CallAnswered, CallChanged, CallCleared, CallDelivered, CallQueued
from web.desk import push
from web.orders.events import OrderChanged
from web.orders.models import Order
from web.telephony import services as telephony
from web.telephony.events import CommandRefused
from web.tickets.events import TicketChanged, TicketOpened
from web.workflow import services as workflow
from web.workflow.events import InstanceChanged, UserTaskChanged, UserTaskCreated, UserTaskGone


def flush_undo_of(event: LoggedOut) -> None:
    """Logging out ends the moment of regret (ARCHITECTURE 5.14)."""
    user = User.objects.filter(pk=event.user_id).first()
    if user:
        workflow.flush_undo(user)


def push_ticket_of(event: AppointmentChanged) -> None:
    """The page of an appointment is its ticket's."""
    row = Appointment.objects.filter(pk=event.appointment_id, ticket__isnull=False).only("ticket").first()
    if row:
        push.push_ticket(TicketChanged(row.ticket_id))


def let_go_of_place(event: TicketChanged) -> None:
    """An appointment whose flow was ended by hand gives its place back at once; the sweep would find it with the next hold."""
    if Appointment.objects.filter(ticket=event.ticket_id, ticket__outcome="cancelled").exists():
        appointments.look_soon()


def push_ticket_of_order(event: OrderChanged) -> None:
    """The page of an order is its ticket's."""
    row = Order.objects.filter(pk=event.order_id, ticket__isnull=False).only("ticket").first()
    if row:
        push.push_ticket(TicketChanged(row.ticket_id))


ROUTES = {
    CallQueued: [push.push_queue, push.push_floor],
    CallDelivered: [push.pop_screen, push.push_queue, push.push_floor],
    CallAnswered: [push.push_call, push.push_queue, push.push_floor],
    CallChanged: [push.push_call, push.push_queue, push.push_floor],
    CallCleared: [push.flush_undo, push.push_call, push.push_queue, push.push_floor],
    AgentChanged: [push.push_phone, push.push_floor],
    CommandRefused: [push.push_refusal],
    SeatLeft: [telephony.seat_left],
    UserTaskCreated: [push.push_inbox, push.push_floor],
    UserTaskChanged: [push.push_inbox, push.push_floor],
    UserTaskGone: [push.push_gone],
    InstanceChanged: [push.push_instance],
    TicketOpened: [push.push_ticket],
    TicketChanged: [push.push_ticket, let_go_of_place],
    AppointmentChanged: [push_ticket_of],
    OrderChanged: [push_ticket_of_order],
    Notified: [push.push_notice],
    AnnouncementsChanged: [push.push_announcements],
    SessionsEnded: [push.close_sockets],
    LoggedOut: [flush_undo_of],
}
