# The platform's own account and its token, and that webhooks may go to the API beside GitLab.
# Runs after each start (GITLAB_POST_RECONFIGURE_SCRIPT); twice changes nothing.
root = User.find_by_username!('root')
nautes = User.find_by_username('nautes')
unless nautes
  password = SecureRandom.base58(40)
  details = { username: 'nautes', name: 'Nautes', email: 'nautes@example.invalid', admin: true, skip_confirmation: true,
              password: password, password_confirmation: password, organization_id: Organizations::Organization.first.id }
  answer = Users::CreateService.new(root, details).execute
  raise answer.message if answer.error?

  nautes = answer.payload[:user]
end

value = File.read('/run/secrets/gitlab_token').strip
unless nautes.personal_access_tokens.active.find_by_token(value)
  token = nautes.personal_access_tokens.build(name: 'platform', scopes: ['api'], expires_at: 364.days.from_now)
  token.set_token(value)
  token.save!
end

ApplicationSetting.current.update!(allow_local_requests_from_web_hooks_and_services: true, signup_enabled: false)
