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

# Temporal UI: people sign in with their GitLab account, and it sends their token to the codec endpoint of the API.
applications = defined?(Authn::OauthApplication) ? Authn::OauthApplication : Doorkeeper::Application
ui = applications.find_or_initialize_by(uid: 'temporal-ui')
secret = File.read('/run/secrets/temporal_ui_secret').strip
ui.secret = ui.secret_strategy.store_secret(ui, :secret, secret) unless ui.persisted? && ui.secret_matches?(secret)
callback = "http://127.0.0.1:#{ENV.fetch('TEMPORAL_UI_PORT', '8233')}/auth/sso/callback"
ui.update!(name: 'Temporal UI', redirect_uri: callback, scopes: 'openid read_api', confidential: true, trusted: true)

ApplicationSetting.current.update!(allow_local_requests_from_web_hooks_and_services: true, signup_enabled: false)
