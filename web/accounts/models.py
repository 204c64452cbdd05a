from __future__ import annotations

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models
from django.db.models import Q, UniqueConstraint
from django.utils.crypto import salted_hmac

from web.common import clock


class Role(models.Model):
    """One list of roles for the whole product (REQUIREMENTS 6.3); the key is also the name of a lane."""

    key = models.CharField(max_length=40, unique=True)
    name = models.CharField(max_length=40)
    name_en = models.CharField(max_length=40)

    class Meta:
        db_table = "accounts_role"


class RolePermission(models.Model):
    role = models.ForeignKey(Role, on_delete=models.CASCADE, related_name="permissions")
    code = models.CharField(max_length=60)

    class Meta:
        db_table = "accounts_role_perm"
        constraints = [UniqueConstraint(fields=["role", "code"], name="accounts_role_perm_uq")]


class Group(models.Model):
    """A node of the organisation: centre, group, department. Leaders of a node lead what is below it too."""

    key = models.CharField(max_length=40, unique=True)
    name = models.CharField(max_length=60)
    name_en = models.CharField(max_length=60, blank=True, null=True)
    parent = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="children")
    path = models.CharField(
        max_length=200, help_text="keys from the root, «/centre/booking/», kept by accounts.services"
    )

    class Meta:
        db_table = "accounts_group"
        indexes = [models.Index(fields=["path"], name="accounts_group_path_ix")]


class UserManager(BaseUserManager):
    def create_user(self, number: str, password: str | None = None, **fields):
        user = self.model(number=number, **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def get_by_natural_key(self, number):
        return self.get(number=number)


class User(AbstractBaseUser):
    """A person who works here, known by the 工号 (`number`)."""

    number = models.CharField(max_length=20, unique=True)
    name = models.CharField(max_length=40)
    roles = models.ManyToManyField(Role, related_name="users", db_table="accounts_user_role")
    is_active = models.BooleanField(default=True)
    is_demo = models.BooleanField(default=False)
    locale = models.CharField(max_length=10, default="zh-CN")
    session_epoch = models.IntegerField(default=0, help_text="raised to end every session of this user")
    session_key = models.CharField(
        max_length=40, blank=True, null=True, help_text="the one session of this user (X-17)"
    )
    created_at = models.DateTimeField(default=clock.now)

    USERNAME_FIELD = "number"
    objects = UserManager()

    class Meta:
        db_table = "accounts_user"

    def _get_session_auth_hash(self, secret=None) -> str:
        """Django compares this at each request, HTTP or socket: a new password or a raised epoch ends every older session."""
        told = f"{self.password}:{self.session_epoch}"
        return salted_hmac("web.accounts.session", told, secret=secret, algorithm="sha256").hexdigest()


class Membership(models.Model):
    """A user's place in a group: `leads` = leader, `deputy` = stands in for the leader."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    group = models.ForeignKey(Group, on_delete=models.CASCADE, related_name="memberships")
    leads = models.BooleanField(default=False)
    deputy = models.BooleanField(default=False)

    class Meta:
        db_table = "accounts_member"
        constraints = [UniqueConstraint(fields=["user", "group"], name="accounts_member_uq")]


class AccessGrantQuerySet(models.QuerySet):
    def open(self, now):
        return self.filter(Q(until=None) | Q(until__gt=now), ended_at=None)


class AccessGrant(models.Model):
    """Access follows work (ARCHITECTURE 3.4): written in the transaction that gives the work, ended with it, audited both times."""

    user = models.ForeignKey(User, null=True, blank=True, on_delete=models.CASCADE, related_name="grants")
    group = models.ForeignKey(Group, null=True, blank=True, on_delete=models.CASCADE, related_name="grants")
    subject_kind = models.CharField(max_length=40)
    subject_id = models.BigIntegerField()
    reason = models.CharField(max_length=40)
    source = models.CharField(max_length=80)
    granted_at = models.DateTimeField(default=clock.now)
    until = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    objects = AccessGrantQuerySet.as_manager()

    class Meta:
        db_table = "accounts_grant"
        indexes = [
            models.Index(fields=["user", "subject_kind", "ended_at"], name="accounts_grant_user_ix"),
            models.Index(fields=["group", "subject_kind", "ended_at"], name="accounts_grant_group_ix"),
            models.Index(fields=["source", "ended_at"], name="accounts_grant_source_ix"),
        ]


class LoginAttempt(models.Model):
    """Every attempt to log in (A-09): name as typed, time, address, result. Insert only."""

    number = models.CharField(max_length=40)
    at = models.DateTimeField(default=clock.now, db_index=True)
    address = models.CharField(max_length=45, blank=True, null=True)
    result = models.CharField(max_length=40)
    extension = models.CharField(max_length=20, blank=True, null=True)

    class Meta:
        db_table = "accounts_login"


class Notification(models.Model):
    """What the product tells one user (X-29). The text is made in the browser from `kind` and `params`."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="notifications")
    kind = models.CharField(max_length=60)
    params = models.JSONField(default=dict)
    ref = models.CharField(max_length=80, blank=True, null=True)
    at = models.DateTimeField(default=clock.now)
    read_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "accounts_notice"
        indexes = [models.Index(fields=["user", "read_at", "at"], name="accounts_notice_ix")]
